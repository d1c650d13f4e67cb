internal import Glibc
internal import MillraceNet

/// Ports of the loopback address that nobody listens on.
enum FreePorts {
    /// So many different ones. Another process may still take one before it is used.
    static func take(_ count: Int) throws(CommandError) -> [UInt16] {
        var sockets: [Int32] = []
        defer { for descriptor in sockets { close(descriptor) } }
        var ports: [UInt16] = []
        while ports.count < count {
            let descriptor = socket(
                AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else {
                throw CommandError("no socket: \(NetError.text(of: errno))")
            }
            sockets.append(descriptor)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let status = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
                }
            }
            guard status == 0 else {
                throw CommandError("no free port: \(NetError.text(of: errno))")
            }
            ports.append(UInt16(bigEndian: address.sin_port))
        }
        return ports
    }
}
