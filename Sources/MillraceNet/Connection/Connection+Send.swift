internal import CMillrace
internal import CMillraceTLS
internal import Glibc

/// Sending: what was gathered in a turn goes out by one `sendmsg`, files by `sendfile`; under TLS
/// in pieces of the loop's scratch buffer.
extension Connection {
    /// What one connection may send before the others have their turn.
    private static let flushBytesMax = 4 * 1024 * 1024
    /// Vectors of one `sendmsg`.
    static let vectorsMax = 32
    /// Ciphertext beyond what a full scratch buffer makes comes from a peer that asks for answers
    /// of TLS itself (key updates) and reads none.
    private static let sealedBytesMax = 1024 * 1024

    /// Writes what is queued now, not at the end of the turn.
    package func flush() {
        guard state == .open, isWritable else { return }
        let before = unsentBytes
        guard before > 0 else { return closeIfAsked() }
        if session == nil { flushPlain() } else { flushSealed() }
        guard state == .open else { return }
        if unsentBytes < before { lastActive = loop.now }
        if isBlocked, unsentBytes <= profile.settings.unsentBytesMax / 2 {
            isBlocked = false
            loop.markReady(self)
        }
        closeIfAsked()
    }

    private func closeIfAsked() {
        guard let reason = reasonAfterFlush, unsentBytes == 0 else { return }
        reasonAfterFlush = nil
        close(because: .closedByUs(reason))
    }

    // MARK: plain text

    private func flushPlain() {
        var left = Self.flushBytesMax
        while !output.isEmpty {
            guard left > 0 else { return loop.flushNextTurn(self) }
            let piece = output.pieces[output.head]
            let count = piece.isFile ? sendFile(piece, left) : sendMemory()
            guard count > 0 else { return }
            left -= count
            output.advance(count)
            loop.countSent(count, self)
        }
    }

    private func sendMemory() -> Int {
        let vectors = loop.vectors
        return output.withVectors(
            { index, bytes in
                vectors[index] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                    iov_len: bytes.count)
            }, room: Self.vectorsMax
        ) { count, fileFollows in
            var flags = Int32(MSG_NOSIGNAL)
            // The header of an answer waits in the kernel for the file behind it.
            if fileFollows { flags |= Int32(MSG_MORE) }
            while true {
                let sent: Int
                if count == 1 {
                    sent = Glibc.send(
                        descriptor, vectors[0].iov_base, vectors[0].iov_len, flags)
                } else {
                    var message = msghdr()
                    message.msg_iov = vectors.baseAddress
                    message.msg_iovlen = count
                    sent = sendmsg(descriptor, &message, flags)
                }
                if sent > 0 { return sent }
                guard errno == EINTR else { return sendFailed(errno) }
            }
        }
    }

    private func sendFile(_ piece: OutputQueue.Piece, _ left: Int) -> Int {
        while true {
            var offset = off_t(piece.position)
            let sent = sendfile(descriptor, piece.descriptor, &offset, min(piece.count, left))
            if sent > 0 { return sent }
            if sent == 0 {
                close(because: .sourceTruncated)
                return 0
            }
            switch errno {
            case EINTR: continue
            case EAGAIN, EPIPE, ECONNRESET, ETIMEDOUT, ENOTCONN: return sendFailed(errno)
            case let code:
                close(because: .sourceFailed(code))
                return 0
            }
        }
    }

    /// - Returns: 0, since nothing was sent.
    private func sendFailed(_ code: Int32) -> Int {
        switch code {
        case EAGAIN: isWritable = false
        case EPIPE, ECONNRESET: close(because: .peerClosed)
        default: close(because: .socketError(code))
        }
        return 0
    }

    // MARK: TLS

    private func flushSealed() {
        guard sendBacklog(), let session else { return }
        var left = Self.flushBytesMax
        while !output.isEmpty {
            guard left > 0 else { return loop.flushNextTurn(self) }
            let count = fillScratch()
            guard count > 0 else { return }
            switch session.write(UnsafeRawBufferPointer(rebasing: loop.scratch[..<count])) {
            case .bytes(let written):
                output.advance(written)
                left -= written
            case .wouldBlock:
                // The buffer for ciphertext holds all that a full scratch buffer makes.
                return close(because: .tlsError("no room for ciphertext"))
            case .closed: return close(because: .peerClosed)
            case .failed(let reason): return close(because: .tlsError(reason))
            }
            guard sendSealed(loop.io) else { return }
        }
    }

    /// Gathers plaintext from memory and files, so that records are full and few.
    /// - Returns: bytes gathered; 0 after closing.
    private func fillScratch() -> Int {
        let scratch = loop.scratch
        var filled = 0
        var index = output.head
        while index < output.pieces.count, filled < scratch.count {
            let piece = output.pieces[index]
            let count = min(piece.count, scratch.count - filled)
            let target = UnsafeMutableRawBufferPointer(
                rebasing: scratch[filled..<filled + count])
            if piece.isFile {
                let read = Self.readFile(piece.descriptor, piece.position, target)
                guard read == count else {
                    close(because: read < 0 ? .sourceFailed(errno) : .sourceTruncated)
                    return 0
                }
            } else {
                let start = Int(piece.position)
                piece.bytes.withUnsafeBytes {
                    target.copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
                }
            }
            filled += count
            index += 1
        }
        return filled
    }

    /// Sends the ciphertext that libssl has made, behind what is already waiting.
    /// - Returns: whether the kernel took all.
    func sendSealed(_ io: UnsafeMutablePointer<millrace_tls_io>) -> Bool {
        let made = UnsafeRawBufferPointer(start: io.pointee.out, count: io.pointee.out_length)
        io.pointee.out_length = 0
        guard sealedHead == sealed.count else {
            sealed.append(contentsOf: made)
            if sealed.count - sealedHead > Self.sealedBytesMax {
                close(because: .tlsError("the peer asks and does not read"))
            }
            return sendBacklog()
        }
        let sent = sendCiphertext(made)
        guard sent < made.count else { return true }
        guard state != .closed else { return false }
        sealed = [UInt8](made[sent...])
        sealedHead = 0
        return false
    }

    /// Sends ciphertext from earlier.
    /// - Returns: whether none is left.
    func sendBacklog() -> Bool {
        guard sealedHead < sealed.count else { return true }
        guard isWritable else { return false }
        let head = sealedHead
        let sent = sealed.withUnsafeBytes {
            sendCiphertext(UnsafeRawBufferPointer(rebasing: $0[head...]))
        }
        sealedHead += sent
        guard sealedHead == sealed.count else { return false }
        sealed = []
        sealedHead = 0
        return true
    }

    /// Ends TLS as its peer expects it, if that costs nothing: behind ciphertext that waits it
    /// would make no sense.
    func sayGoodbye() {
        guard let session, tls != nil, sealedHead == sealed.count else { return }
        loop.io.pointee.out_length = 0
        session.shutdown()
        _ = Glibc.send(
            descriptor, loop.io.pointee.out, loop.io.pointee.out_length, Int32(MSG_NOSIGNAL))
        loop.io.pointee.out_length = 0
    }

    /// - Returns: bytes that the kernel took.
    private func sendCiphertext(_ bytes: UnsafeRawBufferPointer) -> Int {
        var done = 0
        while done < bytes.count, isWritable, state != .closed, let base = bytes.baseAddress {
            let sent = Glibc.send(
                descriptor, base + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            if sent > 0 {
                done += sent
                loop.countSent(sent, self)
            } else if errno != EINTR {
                _ = sendFailed(errno)
            }
        }
        return done
    }
}
