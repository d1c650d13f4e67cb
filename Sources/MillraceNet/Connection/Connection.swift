/// One TCP connection, accepted or outgoing, in plain text or TLS, that carries frames: four bytes
/// of size, then so many bytes. Owned by its loop, used on its thread only.
package final class Connection {
    package let id: ConnectionID
    /// The other side.
    package internal(set) var peer: SocketAddress
    /// Our side: which address of the machine the peer reached.
    package internal(set) var local: SocketAddress
    /// What TLS agreed on; nil in plain text and until `opened`.
    package internal(set) var tls: TLSInfo?
    /// Which listener accepted it; empty for an outgoing connection.
    package internal(set) var listener = ""
    /// Free for the handler.
    package var userData: AnyObject?
    /// Bytes given to `send` that the kernel has not taken yet.
    package internal(set) var unsentBytes = 0
    /// Whether it has been closed.
    package internal(set) var isClosed = false

    init(id: ConnectionID, peer: SocketAddress, local: SocketAddress) {
        self.id = id
        self.peer = peer
        self.local = local
    }

    /// Queues bytes (whole frames, with their size). They leave together with all else that is sent
    /// in this turn.
    package func send(_ bytes: [UInt8]) {}

    /// Queues a part of a file, behind what was queued before. Under plain text large parts go by
    /// sendfile, others are copied now; under TLS they are read and encrypted as the peer takes them.
    /// - Parameters:
    ///   - retaining: kept until the bytes are sent, so that descriptor and content stay.
    package func send(file descriptor: Int32, offset: Int64, count: Int, retaining owner: AnyObject)
    {}

    /// Writes what is queued now, not at the end of the turn.
    package func flush() {}

    /// Stops handing over frames until `resumeReading`. The peer soon cannot send any more.
    package func pauseReading() {}

    /// Hands over frames again, those that are already here in the next turn.
    package func resumeReading() {}

    /// Closes at the end of this turn; what is queued is dropped.
    package func close(_ reason: String) {}

    /// Closes once what is queued is sent; nothing more is received.
    package func closeAfterFlush(_ reason: String) {}
}
