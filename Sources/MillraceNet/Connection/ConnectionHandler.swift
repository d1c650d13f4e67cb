/// What the owner of connections does with them. All calls come on the loop's thread, from inside
/// `EventLoop.run`; in each of them the connection may be written to, paused or closed.
package protocol ConnectionHandler: AnyObject {
    /// The connection is ready: accepted or connected, and the TLS handshake is over. Nothing has
    /// been received yet.
    func opened(_ connection: Connection)

    /// A whole frame has arrived.
    /// - Parameter frame: the bytes behind the four of the size; valid during the call only. They
    ///   may be changed in place.
    func received(_ frame: UnsafeMutableRawBufferPointer, on connection: Connection)

    /// All that was received in one go has been handed over; what was sent leaves now.
    func burstEnded(on connection: Connection)

    /// The connection is gone: exactly once for each connection that was accepted or begun,
    /// opened or not. `send` does nothing from here on.
    func closed(_ connection: Connection, reason: CloseReason)
}

extension ConnectionHandler {
    package func burstEnded(on connection: Connection) {}
}

/// Names a connection of one loop: a slot that is used again, and a generation that is not.
package struct ConnectionID: Hashable, Sendable, CustomStringConvertible {
    /// Small, dense, used again after a close: an index for tables beside the loop's.
    package let slot: UInt32
    /// Differs between connections that had the same slot.
    package let generation: UInt32

    package init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    package var description: String { "\(slot).\(generation)" }
}

/// Why a connection ended.
package enum CloseReason: Sendable, Equatable {
    /// The other side closed it.
    case peerClosed
    /// The system reported an error (`ECONNRESET`, …).
    case socketError(Int32)
    /// The handler closed it, and said why in a few words.
    case closedByUs(String)
    /// Nothing was received or sent for `connections.max.idle.ms`.
    case idle
    /// A size below zero or above `socket.request.max.bytes` was declared.
    case frameSize(Int32)
    /// The TLS handshake failed.
    case handshakeFailed(HandshakeFailure)
    /// Connecting failed: the name did not resolve or nobody answered.
    case connectFailed(NetError)
    /// Connecting or the handshake took too long.
    case timedOut
    /// TLS broke after the handshake (a bad record, a refused client certificate under TLS 1.3).
    case tlsError(String)
    /// The file behind a slice is shorter than was promised.
    case sourceTruncated
    /// Reading that file failed (`EIO`).
    case sourceFailed(Int32)
    /// The node's memory for requests stayed exhausted while a frame was half received.
    case memoryExhausted
    /// The loop stopped.
    case stopped
}

/// What is known about a failed handshake; one line says it all.
package struct HandshakeFailure: Sendable, Equatable, CustomStringConvertible {
    package var peer: String
    package var serverName: String?
    /// What was negotiated or offered before it failed, `TLSv1.3`.
    package var version: String?
    package var cipher: String?
    /// Why the peer's certificate was refused, in OpenSSL's words.
    package var verifyError: String?
    /// What libssl says.
    package var reason: String

    package var description: String {
        var text = "TLS handshake with \(peer) failed: \(reason)"
        if let verifyError { text += "; certificate: \(verifyError)" }
        text += "; server name \(serverName ?? "not sent")"
        if let version { text += ", \(version)" }
        if let cipher { text += ", \(cipher)" }
        return text
    }
}

/// What TLS agreed on with a peer.
package struct TLSInfo: Sendable, Equatable {
    /// `TLSv1.2` or `TLSv1.3`.
    package var version: String
    package var cipher: String
    /// The name that the client asked for (SNI).
    package var serverName: String?
    /// The subject of the peer's verified certificate as RFC 2253 writes it, `CN=a,O=b`.
    package var peerSubject: String?
    /// Whether an earlier session was resumed.
    package var resumed: Bool
}
