/// An IPv4 or IPv6 address. An IPv4 address that arrives mapped into IPv6, as on a socket of both,
/// is IPv4 here.
package struct IPAddress: Hashable, Sendable {
    /// The sixteen bytes in network order, as two numbers; IPv4 in the lower half.
    let high: UInt64
    let low: UInt64
    package let isIPv4: Bool

    init(high: UInt64, low: UInt64, isIPv4: Bool) {
        (self.high, self.low, self.isIPv4) = (high, low, isIPv4)
    }
}

/// An address with a port.
package struct SocketAddress: Hashable, Sendable {
    package var ip: IPAddress
    package var port: UInt16
    /// Of a link-local IPv6 address.
    package var scope: UInt32 = 0
}
