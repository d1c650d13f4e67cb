import Glibc
import MillraceNet

/// A blocking client socket with time-outs, independent of the code under test.
final class TestSocket {
    struct Failed: Error, CustomStringConvertible { var description: String }

    let descriptor: Int32

    init(port: UInt16, ipv6: Bool = false, from source: String? = nil) throws {
        descriptor = socket(ipv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failed(description: "socket: \(errno)") }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if let source { try bind(to: source) }
        let status: Int32
        if ipv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            inet_pton(AF_INET6, "::1", &address.sin6_addr)
            status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
            status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        guard status == 0 else { throw Failed(description: "connect: \(errno)") }
    }

    deinit { close(descriptor) }

    private func bind(to source: String) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        inet_pton(AF_INET, source, &address.sin_addr)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failed(description: "bind: \(errno)") }
    }

    func send(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done,
                    Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failed(description: "send: \(errno)") }
            done += count
        }
    }

    /// Exactly so many bytes.
    func receive(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count < count {
            let got = recv(descriptor, &piece, min(piece.count, count - bytes.count), 0)
            guard got > 0 else {
                throw Failed(description: "\(bytes.count) of \(count) bytes, then \(got) \(errno)")
            }
            bytes.append(contentsOf: piece[..<got])
        }
        return bytes
    }

    /// The bytes of one frame, without its size.
    func receiveFrame() throws -> [UInt8] {
        let size = try receive(4).reduce(0) { $0 << 8 | Int($1) }
        return try receive(size)
    }

    /// Whether the other side closes; what it still sends is skipped.
    func isClosedByPeer() -> Bool {
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let got = recv(descriptor, &piece, piece.count, 0)
            if got == 0 || (got < 0 && errno == ECONNRESET) { return true }
            if got < 0 { return false }
        }
    }

    /// All until the other side closes.
    func receiveAll() -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let got = recv(descriptor, &piece, piece.count, 0)
            guard got > 0 else { return bytes }
            bytes.append(contentsOf: piece[..<got])
        }
    }

    func shutdownWriting() { shutdown(descriptor, Int32(SHUT_WR)) }
}
