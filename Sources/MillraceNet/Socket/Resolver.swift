internal import Glibc

/// Names to addresses, by the system's resolver.
package enum Resolver {
    /// The addresses of a name in the system's order of preference. It may block for seconds: never
    /// on a loop that serves others. Addresses as text need no look-up.
    /// - Parameter passive: to listen on; an empty host is then every address.
    package static func resolve(host: String, port: UInt16) throws(NetError) -> [SocketAddress] {
        if let ip = IPAddress(host) { return [SocketAddress(ip: ip, port: port)] }
        guard !host.isEmpty else { throw .invalidAddress("an empty host name") }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, "\(port)", &hints, &list)
        guard status == 0 else { throw .unresolved(host, String(cString: gai_strerror(status))) }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            guard let address = entry.pointee.ai_addr else { continue }
            var storage = sockaddr_storage()
            let length = min(
                Int(entry.pointee.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
            withUnsafeMutableBytes(of: &storage) {
                $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: length))
            }
            let found = SocketAddress(storage)
            if !addresses.contains(found) { addresses.append(found) }
        }
        guard !addresses.isEmpty else { throw .unresolved(host, "no address") }
        return addresses
    }
}
