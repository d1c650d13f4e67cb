internal import Glibc

/// The address that a listener on all interfaces tells its clients, where nothing else is set.
enum AdvertisedAddress {
    /// The first address of an interface that is up and not the loopback, IPv4 before IPv6; the
    /// loopback's if there is no other.
    static func ofThisMachine() -> String {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return "127.0.0.1" }
        defer { freeifaddrs(list) }
        var best: (rank: Int, text: String)?
        var entry = list
        while let found = entry?.pointee {
            entry = found.ifa_next
            let flags = Int32(bitPattern: found.ifa_flags)
            guard let address = found.ifa_addr, flags & Int32(IFF_UP) != 0,
                flags & Int32(IFF_LOOPBACK) == 0, let text = text(of: address)
            else { continue }
            let isIPv6 = Int32(address.pointee.sa_family) == AF_INET6
            // A link-local address says nothing without its interface.
            if isIPv6, text.hasPrefix("fe80") { continue }
            let rank = isIPv6 ? 1 : 0
            if best.map({ rank < $0.rank }) ?? true { best = (rank, text) }
        }
        return best?.text ?? "127.0.0.1"
    }

    private static func text(of address: UnsafeMutablePointer<sockaddr>) -> String? {
        let length: Int
        switch Int32(address.pointee.sa_family) {
        case AF_INET: length = MemoryLayout<sockaddr_in>.size
        case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
        default: return nil
        }
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = getnameinfo(
            address, socklen_t(length), &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
        guard code == 0 else { return nil }
        let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
