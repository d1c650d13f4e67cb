internal import CMillrace
internal import Glibc
internal import MillraceBase
internal import Synchronization

/// A bound, listening TCP socket that any number of loops accept from. Made before the loops start,
/// so that a port in use is known at once (which SO_REUSEPORT, a socket for each loop, would hide:
/// a second process of the same user would simply share the port).
///
/// All loops wait for it with EPOLLEXCLUSIVE, so that one connection wakes one of them; who accepts
/// gives the connection to the loop that has the fewest.
package final class ListeningSocket: Sendable {
    /// `PLAINTEXT`, `EXTERNAL`: the listener's name.
    package let name: String
    /// Where it listens; the port is the real one if 0 was asked for.
    package let address: SocketAddress

    let descriptor: Int32
    private let loops = Mutex<[LoopPresence]>([])

    /// - Parameters:
    ///   - host: an address or a name; empty or nil for all addresses, IPv6 and IPv4.
    ///   - port: 0 takes a free one.
    ///   - backlog: `socket.listen.backlog.size`.
    package init(
        name: String, host: String?, port: UInt16, backlog: Int32 = 50
    ) throws(NetError) {
        self.name = name
        if let host, !host.isEmpty {
            let addresses = try Resolver.resolve(host: host, port: port)
            descriptor = try Self.bind(addresses[0], both: false, backlog)
        } else {
            descriptor = try Self.bindAll(port, backlog)
        }
        address = SocketAddress.local(of: descriptor)
    }

    deinit { close(descriptor) }

    /// All addresses of both families, or of IPv4 on a machine without IPv6.
    private static func bindAll(_ port: UInt16, _ backlog: Int32) throws(NetError) -> Int32 {
        do {
            return try bind(SocketAddress(ip: .anyIPv6, port: port), both: true, backlog)
        } catch .system(_, EAFNOSUPPORT), .cannotBind(_, EADDRNOTAVAIL) {
            return try bind(SocketAddress(ip: .anyIPv4, port: port), both: false, backlog)
        }
    }

    private static func bind(
        _ address: SocketAddress, both: Bool, _ backlog: Int32
    ) throws(NetError) -> Int32 {
        let descriptor = millrace_stream_socket(address.family)
        guard descriptor >= 0 else { throw .system("socket", errno) }
        _ = millrace_set_reuse_address(descriptor)
        if address.family == AF_INET6 { _ = millrace_set_ipv6_only(descriptor, both ? 0 : 1) }
        guard address.withSystemAddress({ Glibc.bind(descriptor, $0, $1) }) == 0,
            Glibc.listen(descriptor, backlog) == 0
        else {
            let code = errno
            close(descriptor)
            if code == EADDRINUSE { throw .addressInUse("\(address)") }
            throw .cannotBind("\(address)", code)
        }
        return descriptor
    }

    func join(_ loop: LoopPresence) { loops.withLock { $0.append(loop) } }

    func leave(_ loop: LoopPresence) { loops.withLock { $0.removeAll { $0 === loop } } }

    /// The loop that has the fewest connections; of equals, `preferred`.
    func leastLoaded(_ preferred: LoopPresence) -> LoopPresence {
        loops.withLock { loops in
            var best = preferred
            for loop in loops where loop.connections.value < best.connections.value { best = loop }
            return best
        }
    }
}

/// A loop as others see it that accept from the same socket.
final class LoopPresence: Sendable {
    /// A connection that another loop has accepted.
    struct Arrival: Sendable {
        var socket: ListeningSocket
        var descriptor: Int32
        var peer: SocketAddress
    }

    let connections = NetCounter()
    let arrivals: Mailbox<Arrival>

    init(_ waker: Waker) { arrivals = Mailbox(waker: waker) }
}
