/// A bound, listening TCP socket that any number of loops accept from. Made before the loops start,
/// so that a port in use is known at once.
package final class ListeningSocket: Sendable {
    /// `PLAINTEXT`, `EXTERNAL`: the listener's name.
    package let name: String
    /// Where it listens; the port is the real one if 0 was asked for.
    package let address: SocketAddress

    /// - Parameters:
    ///   - host: an address or a name; empty or nil for all addresses, IPv6 and IPv4.
    ///   - port: 0 takes a free one.
    package init(name: String, host: String?, port: UInt16, backlog: Int32 = 50)
        throws(NetError)
    {
        self.name = name
        address = SocketAddress(ip: IPAddress(high: 0, low: 0, isIPv4: true), port: 0)
    }
}

/// How the connections of a listener, or an outgoing connection, behave.
package struct ConnectionSettings: Sendable {
    /// `socket.request.max.bytes`: a frame that declares more closes the connection.
    package var frameBytesMax: Int32 = 100 * 1024 * 1024
    /// `connections.max.idle.ms`; nil for never.
    package var idleMax: Duration? = .milliseconds(600_000)
    /// From accept to `opened`.
    package var handshakeTimeout: Duration = .seconds(10)
    /// Above so many bytes not taken by the peer no frame is handed over; below half it goes on.
    package var unsentBytesMax = 4 * 1024 * 1024
    /// `socket.send.buffer.bytes`: 256 KiB where Kafka's default is not overridden (with the
    /// kernel's own tuning a fetch of 1 MiB costs nearly twice as much); −1 for the kernel's tuning.
    package var sendBufferBytes: Int32 = 256 * 1024
    /// `socket.receive.buffer.bytes`; −1 for the kernel's tuning.
    package var receiveBufferBytes: Int32 = -1
    /// TLS with this context, which may be exchanged for new connections; nil for plain text.
    package var tls: TLSContextHolder?
    /// The node's memory for frames that are half received.
    package var budget: MemoryBudget?
    /// Counts and limits connections over all loops; nil for none.
    package var quota: ConnectionQuota?
    /// What is counted over all connections with these settings.
    package var counters: NetCounters?

    package init() {}
}

/// `max.connections`, `max.connections.per.ip` and its overrides, shared by the listeners and loops
/// of a node.
package final class ConnectionQuota: Sendable {
    package init(total: Int = .max, perIP: Int = .max, overrides: [IPAddress: Int] = [:]) {}
    /// Changes the limits for connections to come.
    package func update(total: Int, perIP: Int, overrides: [IPAddress: Int]) {}
}

/// The bytes of `queued.max.request.bytes`, shared by all loops and whoever keeps requests.
package final class MemoryBudget: Sendable {
    package let limit: Int
    package init(limit: Int) { self.limit = limit }
    /// Takes bytes if they are there.
    package func reserve(_ bytes: Int) -> Bool { true }
    /// Gives bytes back.
    package func release(_ bytes: Int) {}
    /// What is taken now.
    package var used: Int { 0 }
}

/// Counts for metrics; any thread reads.
package final class NetCounters: Sendable {
    package init() {}
    package var connectionsOpen: Int { 0 }
    package var connectionsAccepted: Int { 0 }
    package var connectionsRefused: Int { 0 }
    package var handshakesFailed: Int { 0 }
    package var bytesReceived: Int { 0 }
    package var bytesSent: Int { 0 }
}
