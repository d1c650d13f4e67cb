internal import Glibc
internal import MillraceBase
internal import MillraceProtocol

/// Asks a node from outside whether it serves clients.
enum NodeProbe {
    /// Whether the node tells of a broker that clients may use: Metadata v1 for no topics.
    static func isServing(port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { return false }
        return brokerCount(descriptor) > 0
    }

    private static func brokerCount(_ descriptor: Int32) -> Int {
        var request = MetadataRequest()
        request.topics = []
        var writer = ByteWriter()
        do throws(CodecError) {
            try writer.writeRequest(
                request, api: .metadata, version: 1, correlationID: 1, clientID: "millrace-local")
        } catch {
            return 0
        }
        let bytes = writer.array()
        guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count,
            let size = receive(descriptor, 4), size.count == 4
        else { return 0 }
        let length = size.reduce(0) { $0 << 8 | Int($1) }
        guard (8...1 << 20).contains(length), let frame = receive(descriptor, length) else {
            return 0
        }
        return frame.withUnsafeBytes { bytes -> Int in
            var reader = ByteReader(bytes)
            do throws(CodecError) {
                try reader.skip(4)
                return try MetadataResponse(from: &reader, version: 1).brokers.count
            } catch {
                return 0
            }
        }
    }

    private static func receive(_ descriptor: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let received = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress.map { $0 + done }, count - done, 0)
            }
            guard received > 0 else { return nil }
            done += received
        }
        return bytes
    }
}
