internal import Synchronization

/// A count that any thread raises and reads.
package final class NetCounter: Sendable {
    private let count = Atomic<Int>(0)

    package var value: Int { count.load(ordering: .relaxed) }

    func add(_ difference: Int) { count.wrappingAdd(difference, ordering: .relaxed) }
}

/// Counts for metrics, one set for each listener; any thread reads.
package final class NetCounters: Sendable {
    /// Connections now open, those in handshake too.
    package let connectionsOpen = NetCounter()
    package let connectionsAccepted = NetCounter()
    /// Closed at once because of a limit.
    package let connectionsRefused = NetCounter()
    package let handshakesFailed = NetCounter()
    /// On the wire: with TLS, ciphertext.
    package let bytesReceived = NetCounter()
    package let bytesSent = NetCounter()

    package init() {}
}
