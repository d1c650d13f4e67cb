import Foundation
import MillraceBase
import MillraceProtocol
import TestSupport
import Testing

/// Connections that stall, or speak another language, beside one that works.
@Suite(.localNode())
struct HostileConnectionTests {
    private func port(_ address: String) throws -> UInt16 {
        try #require(address.split(separator: ":").last.flatMap { UInt16($0) })
    }

    private func node() throws -> LocalNode { try #require(LocalNode.current) }

    private func question() throws -> [UInt8] {
        var writer = ByteWriter()
        try writer.writeRequest(
            ApiVersionsRequest(), api: .apiVersions, version: 0, correlationID: 1, clientID: "e2e")
        return writer.array()
    }

    private func residentBytes() throws -> Int {
        let pid = try node().processID()
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(line.split(separator: " ").dropLast().last.flatMap { Int($0) }) << 10
    }

    /// How long a hundred requests of one working connection take, one after the other.
    private func hundredAnswers() throws -> Duration {
        let connection = try TestConnection(port: port(node().plaintext))
        defer { connection.close() }
        let question = try question()
        let start = ContinuousClock.now
        for _ in 0..<100 {
            connection.send(question)
            try #require(connection.answers(seconds: 10), "a working connection is served")
        }
        return .now - start
    }

    @Test func wrongProtocolsAndSizesCloseTheConnection() throws {
        let node = try node()
        let (plain, tls) = (try port(node.plaintext), try port(node.tls))
        let hello: [UInt8] = [0x16, 3, 1, 0, 0xF0, 1, 0, 0, 0xEC, 3, 3]
        let noise = (0..<300).map { UInt8(truncatingIfNeeded: $0 * 167 + 13) }
        for (what, port, bytes) in [
            ("noise on the TLS port", tls, noise),
            ("a hello cut short by noise", tls, hello + noise),
            ("plaintext on the TLS port", tls, try question()),
            ("TLS on the plaintext port", plain, hello + noise),
            ("a negative size", plain, [0xFF, 0xFF, 0xFF, 0xFF]),
            ("a size of 2 GiB", plain, [0x7F, 0xFF, 0xFF, 0xFF]),
        ] {
            let connection = try TestConnection(port: port)
            connection.send(bytes)
            #expect(connection.drain(seconds: 5), "\(what) closes the connection")
            connection.close()
        }
        let log = try String(contentsOfFile: node.description.nodes[0].logFile, encoding: .utf8)
        #expect(log.contains("TLS handshake with 127.0.0.1"), "a failed handshake is explained")
        _ = try hundredAnswers()
    }

    @Test func slowAndIdleConnectionsDoNotSlowAWorkingOne() throws {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let idleCount = min(2000, Int(clamping: limit.rlim_cur) - 600)
        let plain = try port(node().plaintext)
        let before = try residentBytes()
        var open: [TestConnection] = []
        defer { for connection in open { connection.close() } }
        let question = try question()
        for index in 0..<(300 + idleCount) {
            let connection = try TestConnection(port: plain)
            open.append(connection)
            // Half a frame, and then nothing more.
            if index < 300 { connection.send(Array(question.prefix(7))) }
        }
        #expect(try hundredAnswers() < .seconds(2))
        #expect(try residentBytes() - before < 128 << 20)
    }

    @Test func aReaderThatNeverReadsIsBounded() throws {
        let plain = try port(node().plaintext)
        let before = try residentBytes()
        let connection = try TestConnection(port: plain)
        defer { connection.close() }
        let many = Array(repeatElement(try question(), count: 200_000).joined())
        connection.send(many, patience: 1)
        #expect(try hundredAnswers() < .seconds(2))
        #expect(try residentBytes() - before < 64 << 20)
    }
}
