internal import CMillrace

/// What is set on each socket, accepted or outgoing.
enum SocketOptions {
    /// Probes begin after so long a silence; a peer that has vanished is noticed in about four
    /// minutes, one that takes no data in two.
    private static let keepAliveSeconds: Int32 = 120
    private static let unansweredMs: Int32 = 120_000

    /// None of them is worth losing a connection for: failures are ignored.
    static func apply(_ settings: ConnectionSettings, to descriptor: Int32) {
        _ = millrace_set_no_delay(descriptor)
        _ = millrace_set_keep_alive(descriptor, keepAliveSeconds, unansweredMs)
        if settings.sendBufferBytes > 0 {
            _ = millrace_set_send_buffer(descriptor, settings.sendBufferBytes)
        }
        if settings.receiveBufferBytes > 0 {
            _ = millrace_set_receive_buffer(descriptor, settings.receiveBufferBytes)
        }
    }
}

/// Limits of the process.
package enum ProcessLimits {
    /// Raises the soft limit of open files to the hard one.
    /// - Returns: the limit in force.
    @discardableResult
    package static func raiseDescriptorLimit() -> UInt64 { millrace_raise_descriptor_limit() }
}
