internal import CMillrace
internal import Glibc
internal import MillraceBase

/// Receiving: from the socket into the loop's shared buffer, frames cut in place; what remains of a
/// frame moves to a stash that grows as bytes arrive, never by what was declared.
extension Connection {
    /// A stash holds at most so many times what has arrived.
    private static let growth = 4
    /// With the node's memory exhausted, a connection reads in pieces of this size.
    private static let frugalBytes = 16 * 1024

    private var budget: MemoryBudget? { profile.settings.budget }

    /// Whether the next frame may be handed over now.
    private var mayDeliver: Bool {
        guard state == .open, !isPaused, !isHeld, reasonAfterFlush == nil else { return false }
        guard framesLeft > 0 else {
            loop.markReady(self)
            return false
        }
        if let budget, budget.isFull {
            isHeld = true
            loop.starve(self)
            return false
        }
        guard unsentBytes > profile.settings.unsentBytesMax else { return true }
        flush()
        guard unsentBytes > profile.settings.unsentBytesMax else { return state == .open }
        (isBlocked, isHeld) = (true, true)
        return false
    }

    /// Hands over all that is here and may be read in this turn.
    func receiveBurst() {
        guard state == .open else { return }
        (framesLeft, isHeld) = (loop.settings.turnFramesMax, false)
        deliverStashed()
        var left = loop.settings.turnBytesMax
        while isReadable, mayDeliver {
            guard left > 0 else {
                loop.markReady(self)
                break
            }
            let count = session == nil ? receivePlain() : receiveSealed()
            guard count > 0 else { break }
            left -= count
        }
        guard state == .open else { return }
        handler.burstEnded(on: self)
        flush()
    }

    // MARK: plain text

    /// - Returns: bytes received; 0 to stop.
    private func receivePlain() -> Int {
        let shared = loop.receiveBuffer
        guard let sharedBase = shared.baseAddress else { return 0 }
        stash.compact()
        let limit = budget?.isExhausted == true ? Self.frugalBytes : shared.count
        guard let size = stash.declaredSize else {
            // At most three bytes of a size: they go in front.
            let before = moveStash(to: sharedBase)
            let count = recv(descriptor, sharedBase + before, limit - before, 0)
            guard account(count, room: limit - before) else {
                keep(sharedBase, before)
                return 0
            }
            deliver(sharedBase, before + count)
            return count
        }
        guard growStash(toHold: 4 + Int(size)), let base = stash.base else { return 0 }
        let own = min(stash.capacity, 4 + Int(size)) - stash.end
        let rest = stash.end + own == 4 + Int(size) ? limit : 0
        var vectors = (
            iovec(iov_base: base + stash.end, iov_len: own),
            iovec(iov_base: sharedBase, iov_len: rest)
        )
        let count = withUnsafePointer(to: &vectors) { pointer in
            pointer.withMemoryRebound(to: iovec.self, capacity: 2) {
                readv(descriptor, $0, rest > 0 ? 2 : 1)
            }
        }
        guard account(count, room: own + rest) else { return 0 }
        stash.end += min(count, own)
        if stash.end == 4 + Int(size) {
            deliverStashed()
            deliver(sharedBase, count - own)
        }
        return count
    }

    /// Books what a read gave, or closes.
    private func account(_ count: Int, room: Int) -> Bool {
        guard count > 0 else {
            readEnded(count)
            return false
        }
        // A short read empties the socket; only an end that was announced is still behind it.
        if count < room, !sawHangup { isReadable = false }
        lastActive = loop.now
        loop.countReceived(count, self)
        return true
    }

    private func readEnded(_ count: Int) {
        if count == 0 {
            isReadable = false
            // It may have closed one direction only, and read what it asked for.
            flush()
            return close(because: .peerClosed)
        }
        switch errno {
        case EAGAIN: isReadable = false
        case EINTR: loop.markReady(self)
        case let code:
            close(because: code == ECONNRESET || code == EPIPE ? .peerClosed : .socketError(code))
        }
    }

    // MARK: frames

    /// Hands over the frames in `count` bytes and keeps what remains.
    private func deliver(_ base: UnsafeMutableRawPointer, _ count: Int) {
        let used = cut(base, count)
        keep(base + used, count - used)
    }

    /// Hands over whole frames while that is allowed.
    /// - Returns: the bytes of these frames.
    private func cut(_ base: UnsafeMutableRawPointer, _ count: Int) -> Int {
        var offset = 0
        while count - offset >= 4 {
            let size = Int32(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: Int32.self))
            guard size >= 0, size <= profile.settings.frameBytesMax else {
                close(because: .frameSize(size))
                return count
            }
            let end = offset + 4 + Int(size)
            guard end <= count, mayDeliver else { break }
            framesLeft -= 1
            starvedSince = nil
            handler.received(
                UnsafeMutableRawBufferPointer(start: base + offset + 4, count: Int(size)),
                on: self)
            offset = end
        }
        return offset
    }

    /// Hands over what a pause left behind, or a frame that has become whole.
    private func deliverStashed() {
        guard stash.count >= 4, mayDeliver else { return }
        let (start, end) = (stash.start, stash.end)
        // The buffer leaves the connection during the calls, which may do anything to it.
        guard let buffer = stash.take(), let base = buffer.baseAddress else { return }
        let used = cut(base + start, end - start)
        guard state == .open, start + used < end else { return loop.give(buffer, self) }
        stash.put(buffer, start: start + used, end: end)
    }

    /// Keeps bytes that cannot be handed over yet.
    private func keep(_ base: UnsafeMutableRawPointer, _ count: Int) {
        guard count > 0, state != .closed else { return }
        let (before, start) = (stash.count, stash.start)
        var wanted = max(BufferPool.bytesMin, (before + count) * Self.growth)
        if before == 0, count >= 4 {
            let size = Int(Int32(bigEndian: base.loadUnaligned(as: Int32.self)))
            wanted = min(wanted, max(count, 4 + size))
        }
        let buffer = loop.take(BufferPool.capacity(for: wanted), self)
        guard let target = buffer.baseAddress else { return }
        if let old = stash.take() {
            // Something is left from before a pause.
            if let from = old.baseAddress {
                target.copyMemory(from: from + start, byteCount: before)
            }
            loop.give(old, self)
        }
        (target + before).copyMemory(from: base, byteCount: count)
        stash.put(buffer, start: 0, end: before + count)
    }

    /// Makes room behind a full stash: at most four times what has arrived.
    /// - Returns: false if the node has no memory now; the loop tries again.
    private func growStash(toHold frame: Int, force: Bool = false) -> Bool {
        guard stash.end == stash.capacity, stash.capacity < frame else { return true }
        let capacity = BufferPool.capacity(for: min(frame, stash.capacity * Self.growth))
        if !force, let budget, !budget.mayReserve(capacity) {
            loop.starve(self)
            return false
        }
        starvedSince = nil
        let end = stash.end
        guard let old = stash.take() else { return false }
        let buffer = loop.take(capacity, self)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: old[..<end]))
        loop.give(old, self)
        stash.put(buffer, start: 0, end: end)
        return true
    }

    private func moveStash(to base: UnsafeMutableRawPointer) -> Int {
        let (start, count) = (stash.start, stash.count)
        guard let buffer = stash.take() else { return 0 }
        if let from = buffer.baseAddress { base.copyMemory(from: from + start, byteCount: count) }
        loop.give(buffer, self)
        return count
    }

    // MARK: TLS

    /// - Returns: bytes of ciphertext received; 0 to stop.
    private func receiveSealed() -> Int {
        if stash.count > 0, budget?.isExhausted == true {
            loop.starve(self)
            return 0
        }
        starvedSince = nil
        let room = budget?.isExhausted == true ? Self.frugalBytes : loop.sealedIn.count
        let count = recv(descriptor, loop.sealedIn.baseAddress, room, 0)
        guard account(count, room: room) else { return 0 }
        loop.tls.received(count)
        receiveDecrypted()
        return count
    }

    /// Decrypts all that is in the loop's ciphertext buffer, then hands it over: the shared buffer
    /// is larger, so that nothing is left behind when a handler pauses.
    func receiveDecrypted() {
        let shared = decrypt()
        guard state == .open, let base = loop.receiveBuffer.baseAddress else { return }
        deliverStashed()
        if shared.count > 0 { deliver(base, shared.count) }
        if let reason = shared.end { close(because: reason) }
    }

    /// Decrypts into the stash up to the end of its frame, then into the shared buffer.
    /// - Returns: bytes in the shared buffer, and why the connection ends, if it does.
    private func decrypt() -> (count: Int, end: CloseReason?) {
        guard let session, let sharedBase = loop.receiveBuffer.baseAddress else { return (0, nil) }
        stash.compact()
        var count = stash.count < 4 ? moveStash(to: sharedBase) : 0
        while true {
            var target = UnsafeMutableRawBufferPointer(rebasing: loop.receiveBuffer[count...])
            var intoStash = false
            if let size = stash.declaredSize, stash.end < 4 + Int(size) {
                _ = growStash(toHold: 4 + Int(size), force: true)
                if let buffer = stash.buffer {
                    let end = min(stash.capacity, 4 + Int(size))
                    target = UnsafeMutableRawBufferPointer(rebasing: buffer[stash.end..<end])
                    intoStash = true
                }
            }
            switch session.read(into: target) {
            case .bytes(let read):
                if intoStash { stash.end += read } else { count += read }
            case .wouldBlock:
                return (count, sendSealed(loop.io) ? nil : pendingReason)
            case .closed: return (count, .peerClosed)
            case .failed(let reason):
                _ = sendSealed(loop.io)
                return (count, .tlsError(reason))
            }
        }
    }

    /// One step of the handshake, with what the socket has.
    func handshake() {
        guard state == .handshaking, let session else { return }
        var count = 0
        if isReadable {
            count = recv(descriptor, loop.sealedIn.baseAddress, loop.sealedIn.count, 0)
            guard account(count, room: loop.sealedIn.count) else {
                if state == .closed, pendingReason == .peerClosed {
                    pendingReason = .handshakeFailed(
                        session.failure(peer: peer, reason: "the peer closed the connection"))
                }
                return
            }
        }
        loop.tls.received(count)
        switch session.handshake({ self.sendSealed(loop.io) }) {
        case .wouldBlock:
            if isReadable, state == .handshaking { loop.markReady(self) }
        case .failed(let reason):
            close(because: .handshakeFailed(session.failure(peer: peer, reason: reason)))
        case .done:
            guard state == .handshaking else { return }
            tls = session.info()
            established(withDecrypted: true)
        }
    }

    /// The connection stands: tells the handler, then hands over what came with the handshake.
    func established(withDecrypted: Bool) {
        state = .open
        lastActive = loop.now
        guard withDecrypted else {
            handler.opened(self)
            return flush()
        }
        // Decrypted before the handler runs, since what it does may use the loop's buffers.
        let shared = decrypt()
        guard state == .open else { return }
        handler.opened(self)
        (framesLeft, isHeld) = (loop.settings.turnFramesMax, false)
        if let base = loop.receiveBuffer.baseAddress, state == .open {
            deliverStashed()
            if shared.count > 0 { deliver(base, shared.count) }
        }
        if let reason = shared.end { return close(because: reason) }
        receiveBurst()
    }
}
