import Foundation
import Testing

/// A blocking connection to a port of this machine, for bytes that no client would send.
struct TestConnection {
    private let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let descriptor = descriptor
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0, "the node accepts connections")
    }

    /// Sends all, or stops when the other side closes: that is an answer too. A side that takes
    /// nothing for `patience` seconds is given up.
    func send(_ bytes: [UInt8], patience: Int = 5) {
        var limit = timeval(tv_sec: patience, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        bytes.withUnsafeBytes { raw in
            var sent = 0
            while sent < raw.count, let base = raw.baseAddress {
                let count = Foundation.send(
                    descriptor, base + sent, raw.count - sent, Int32(MSG_NOSIGNAL))
                guard count > 0 else { return }
                sent += count
            }
        }
    }

    /// Says that nothing more comes.
    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Reads until the other side closes; false if it does not in time.
    func drain(seconds: Int) -> Bool { read(seconds: seconds) { _ in false } }

    /// Whether a whole answer comes in time.
    func answers(seconds: Int) -> Bool {
        var answer: [UInt8] = []
        _ = read(seconds: seconds) { bytes in
            answer += bytes
            guard answer.count >= 4 else { return false }
            return answer.count >= 4 + answer.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        }
        return answer.count > 4
    }

    /// Reads until `isEnough`, or the end; false if time ran out.
    private func read(seconds: Int, until isEnough: (ArraySlice<UInt8>) -> Bool) -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while ContinuousClock.now < end {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 200) > 0 else { continue }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 || isEnough(buffer[..<count]) { return true }
        }
        return false
    }

    func close() { _ = Foundation.close(descriptor) }
}
