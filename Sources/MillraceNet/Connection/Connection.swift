internal import MillraceBase
internal import Glibc

/// One TCP connection, accepted or outgoing, in plain text or TLS, that carries frames: four bytes
/// of size, then so many bytes. Owned by its loop, used on its thread only.
package final class Connection {
    enum State { case connecting, handshaking, open, closed }

    package let id: ConnectionID
    /// The other side.
    package internal(set) var peer: SocketAddress
    /// Our side: which address of the machine the peer reached.
    package internal(set) var local: SocketAddress
    /// What TLS agreed on; nil in plain text and until `opened`.
    package internal(set) var tls: TLSInfo?
    /// Free for the handler.
    package var userData: AnyObject?

    let loop: EventLoop
    let handler: any ConnectionHandler
    let profile: ConnectionProfile
    var descriptor: Int32
    var state: State
    var session: TLSSession?
    /// For an outgoing connection, until it stands.
    var attempt: ConnectAttempt?

    /// When something was last received or sent.
    var lastActive: Instant
    /// Until when it must be open.
    var openDeadline: Instant
    var pendingReason: CloseReason?
    var reasonAfterFlush: String?

    /// What of the received bytes could not be handed over yet: one frame that is not whole, or
    /// what arrived before a pause.
    var stash = Stash()
    /// Bytes may be waiting in the socket: its edge has been seen, its end not.
    var isReadable = false
    var sawHangup = false
    var isPaused = false
    /// No more frames are handed over in this burst. What others do to the node's memory meanwhile
    /// must not let a frame pass one that had to stay.
    var isHeld = false
    /// How many frames may still be handed over in this turn.
    var framesLeft = 0
    /// It waits until the peer has taken what was sent.
    var isBlocked = false
    /// It waits for memory since then.
    var starvedSince: Instant?
    var isStarved = false
    var isInReady = false
    var isInDirty = false

    var output = OutputQueue()
    var isWritable = true
    /// Ciphertext that the kernel has not taken.
    var sealed: [UInt8] = []
    var sealedHead = 0

    init(
        id: ConnectionID, loop: EventLoop, descriptor: Int32, peer: SocketAddress,
        local: SocketAddress, profile: ConnectionProfile, state: State,
        handler: any ConnectionHandler
    ) {
        self.id = id
        self.loop = loop
        self.descriptor = descriptor
        self.peer = peer
        self.local = local
        self.profile = profile
        self.state = state
        self.handler = handler
        lastActive = loop.now
        openDeadline = loop.now + profile.settings.handshakeTimeout
    }

    /// Accepted here, not begun here.
    package var isAccepted: Bool { profile.isListener }

    /// Which listener accepted it; empty for an outgoing connection.
    package var listener: String { profile.listener }

    /// Whether it has been closed, or will be at the end of this turn.
    package var isClosed: Bool { state == .closed }

    /// Bytes given to `send` that the kernel has not taken yet.
    package var unsentBytes: Int { output.byteCount + sealed.count - sealedHead }

    /// Queues bytes (whole frames, with their size). They leave together with all else that is sent
    /// in this turn.
    package func send(_ bytes: [UInt8]) {
        guard state != .closed else { return }
        output.append(bytes)
        markDirty()
    }

    /// Queues a copy of bytes.
    package func send(copying bytes: UnsafeRawBufferPointer) {
        guard state != .closed else { return }
        output.append(copying: bytes)
        markDirty()
    }

    /// Queues a part of a file, behind what was queued before. Under plain text large parts go by
    /// sendfile, others are copied now; under TLS they are read and encrypted as the peer takes
    /// them.
    /// - Parameters:
    ///   - descriptor: of a file that holds the bytes until they are sent, or the connection
    ///   closes.
    ///   - owner: kept until the bytes are sent, so that descriptor and content stay.
    package func send(
        file descriptor: Int32, offset: Int64, count: Int, retaining owner: AnyObject
    ) {
        guard state != .closed, count > 0 else { return }
        guard count < profile.settings.copiedFileBytesMax, session == nil else {
            output.append(file: descriptor, offset: offset, count: count, owner: owner)
            return markDirty()
        }
        var status = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            status = Self.readFile(
                descriptor, offset, UnsafeMutableRawBufferPointer(buffer))
            initialized = status == count ? count : 0
        }
        guard status == count else {
            return close(because: status < 0 ? .sourceFailed(errno) : .sourceTruncated)
        }
        output.append(bytes)
        markDirty()
    }

    /// Stops handing over frames until `resumeReading`. The peer soon cannot send any more.
    package func pauseReading() { isPaused = true }

    /// Hands over frames again, those that are already here in this turn or the next.
    package func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        if state == .open { loop.markReady(self) }
    }

    /// Closes at the end of this turn, after one attempt to write what is queued.
    package func close(_ reason: String) { close(because: .closedByUs(reason)) }

    /// Closes once what is queued is sent; nothing more is received.
    package func closeAfterFlush(_ reason: String) {
        guard state != .closed else { return }
        reasonAfterFlush = reason
        markDirty()
    }

    func close(because reason: CloseReason) {
        if case .closedByUs = reason { flush() }
        // The last write may itself have failed.
        guard state != .closed else { return }
        pendingReason = reason
        loop.finish(self)
    }

    private func markDirty() {
        guard !isInDirty else { return }
        isInDirty = true
        loop.dirty.append(self)
    }

    /// Reads all of `buffer` from a file.
    /// - Returns: bytes read, fewer at the file's end; −1 with errno.
    static func readFile(
        _ descriptor: Int32, _ offset: Int64, _ buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        var done = 0
        while done < buffer.count, let base = buffer.baseAddress {
            let count = pread(descriptor, base + done, buffer.count - done, off_t(offset) + done)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return -1 }
            if count == 0 { break }
            done += count
        }
        return done
    }
}

/// The settings of a listener's or a client's connections, shared by them.
final class ConnectionProfile {
    let settings: ConnectionSettings
    let listener: String
    let isListener: Bool

    /// - Parameter listener: nil for outgoing connections.
    init(_ settings: ConnectionSettings, listener: String?) {
        self.settings = settings
        self.listener = listener ?? ""
        isListener = listener != nil
    }
}

/// Received bytes that wait in a buffer of their own.
struct Stash {
    private(set) var buffer: UnsafeMutableRawBufferPointer?
    var start = 0
    var end = 0

    var count: Int { end - start }
    var capacity: Int { buffer?.count ?? 0 }
    var base: UnsafeMutableRawPointer? { buffer?.baseAddress }

    /// The declared size of the first frame, if its four bytes are here.
    var declaredSize: Int32? {
        guard count >= 4, let base else { return nil }
        return Int32(bigEndian: base.loadUnaligned(fromByteOffset: start, as: Int32.self))
    }

    mutating func put(_ buffer: UnsafeMutableRawBufferPointer, start: Int, end: Int) {
        precondition(self.buffer == nil, "a stash has one buffer")
        self.buffer = buffer
        self.start = start
        self.end = end
    }

    mutating func take() -> UnsafeMutableRawBufferPointer? {
        let taken = buffer
        buffer = nil
        start = 0
        end = 0
        return taken
    }

    /// Moves what is there to the buffer's beginning.
    mutating func compact() {
        guard start > 0, let base else { return }
        base.copyMemory(from: base + start, byteCount: count)
        end -= start
        start = 0
    }
}
