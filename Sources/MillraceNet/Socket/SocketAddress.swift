internal import Glibc

/// An IPv4 or IPv6 address. An IPv4 address that arrives mapped into IPv6, as on a socket of both,
/// is IPv4 here.
package struct IPAddress: Hashable, Sendable {
    /// The sixteen bytes in network order, as two numbers; IPv4 in the lower half.
    let high: UInt64
    let low: UInt64
    package let isIPv4: Bool

    init(high: UInt64, low: UInt64, isIPv4: Bool) {
        let mapped = high == 0 && low >> 32 == 0xFFFF
        self.isIPv4 = isIPv4 || mapped
        self.high = high
        self.low = self.isIPv4 ? low & 0xFFFF_FFFF : low
    }

    /// Reads `127.0.0.1`, `::1` or `[::1]`; nil for a name.
    package init?(_ text: String) {
        var text = text
        if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(high: 0, low: UInt64(UInt32(bigEndian: v4.s_addr)), isIPv4: true)
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        self = withUnsafeBytes(of: &v6) { bytes in
            IPAddress(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                isIPv4: false)
        }
    }

    /// 127.0.0.0/8 or ::1.
    package var isLoopback: Bool {
        isIPv4 ? low >> 24 == 127 : high == 0 && low == 1
    }

    /// 0.0.0.0 or ::.
    package var isAny: Bool { high == 0 && low == 0 }

    static let anyIPv6 = IPAddress(high: 0, low: 0, isIPv4: false)
    static let anyIPv4 = IPAddress(high: 0, low: 0, isIPv4: true)
}

extension IPAddress: CustomStringConvertible {
    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        if isIPv4 {
            var address = in_addr(s_addr: UInt32(truncatingIfNeeded: low).bigEndian)
            _ = inet_ntop(AF_INET, &address, &text, socklen_t(text.count))
        } else {
            var address = (high.bigEndian, low.bigEndian)
            _ = inet_ntop(AF_INET6, &address, &text, socklen_t(text.count))
        }
        return String(
            decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// An address with a port.
package struct SocketAddress: Hashable, Sendable {
    package var ip: IPAddress
    package var port: UInt16
    /// Of a link-local IPv6 address.
    package var scope: UInt32 = 0

    package init(ip: IPAddress, port: UInt16, scope: UInt32 = 0) {
        (self.ip, self.port, self.scope) = (ip, port, scope)
    }

    static let unknown = SocketAddress(ip: .anyIPv4, port: 0)

    /// What the kernel wrote; `unknown` for other families.
    init(_ storage: sockaddr_storage) {
        self = withUnsafeBytes(of: storage) { bytes in
            let port = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
            switch Int32(storage.ss_family) {
            case AF_INET:
                let address = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
                return SocketAddress(
                    ip: IPAddress(high: 0, low: UInt64(UInt32(bigEndian: address)), isIPv4: true),
                    port: port)
            case AF_INET6:
                let high = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                let low = bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
                return SocketAddress(
                    ip: IPAddress(
                        high: UInt64(bigEndian: high), low: UInt64(bigEndian: low), isIPv4: false),
                    port: port, scope: bytes.loadUnaligned(fromByteOffset: 24, as: UInt32.self))
            default: return .unknown
            }
        }
    }

    var family: Int32 { ip.isIPv4 ? AF_INET : AF_INET6 }

    /// Calls `body` with the address as system calls take it.
    func withSystemAddress<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var storage = sockaddr_storage()
        storage.ss_family = sa_family_t(family)
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
            if ip.isIPv4 {
                let address = UInt32(truncatingIfNeeded: ip.low).bigEndian
                bytes.storeBytes(of: address, toByteOffset: 4, as: UInt32.self)
            } else {
                bytes.storeBytes(of: ip.high.bigEndian, toByteOffset: 8, as: UInt64.self)
                bytes.storeBytes(of: ip.low.bigEndian, toByteOffset: 16, as: UInt64.self)
                bytes.storeBytes(of: scope, toByteOffset: 24, as: UInt32.self)
            }
        }
        let length = ip.isIPv4 ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
        return withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(length))
            }
        }
    }

    /// Our address of a connected or bound socket.
    static func local(of descriptor: Int32) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length)
            }
        }
        return status == 0 ? SocketAddress(storage) : .unknown
    }
}

extension SocketAddress: CustomStringConvertible {
    package var description: String { ip.isIPv4 ? "\(ip):\(port)" : "[\(ip)]:\(port)" }
}
