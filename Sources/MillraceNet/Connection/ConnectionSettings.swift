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
    /// In plain text, parts of files below this size are copied; `sendfile` pays from here on.
    package var copiedFileBytesMax = 32 * 1024
    /// `socket.send.buffer.bytes`: 256 KiB where Kafka's default is not overridden (with the
    /// kernel's own tuning a fetch of 1 MiB costs nearly twice as much); −1 for the kernel's
    /// tuning.
    package var sendBufferBytes: Int32 = 256 * 1024
    /// `socket.receive.buffer.bytes`; −1 for the kernel's tuning.
    package var receiveBufferBytes: Int32 = -1
    /// TLS with this context, which may be exchanged for new connections; nil for plain text.
    package var tls: TLSContextHolder?
    /// The node's memory for frames that are half received.
    package var budget: MemoryBudget?
    /// How long a half received frame waits for that memory before its connection is closed.
    package var starvedMax: Duration = .seconds(10)
    /// Counts and limits connections over all loops; nil for none.
    package var quota: ConnectionQuota?
    /// What is counted over all connections with these settings.
    package var counters: NetCounters?

    package init() {}
}
