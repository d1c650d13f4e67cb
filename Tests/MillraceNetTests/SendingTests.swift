import Foundation
import MillraceBase
import MillraceNet
import Synchronization
import Testing

/// A file of a known pattern; its descriptor lives as long as the object.
private final class PatternFile: Sendable {
    let descriptor: Int32
    private let directory: TemporaryDirectory

    init(_ bytes: [UInt8]) throws {
        directory = try TemporaryDirectory()
        descriptor = open(try directory.write(bytes, "file"), O_RDONLY)
    }

    deinit { close(descriptor) }
}

/// Answers a frame with the slices of a file that it names: offset and count, four bytes each.
private func fileServer(
    _ file: PatternFile, _ closed: Events<CloseReason> = Events()
) -> TestHandler {
    let handler = TestHandler()
    handler.onFrame = { frame, connection in
        var index = 0
        while index < frame.count {
            let number = { (at: Int) in frame[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
            let (offset, count) = (number(index), number(index + 4))
            connection.send([UInt8(0xAB)])
            connection.send(
                file: file.descriptor, offset: Int64(offset), count: count, retaining: file)
            connection.send([UInt8(0xCD)])
            index += 8
        }
    }
    handler.onClosed = { closed.post($1) }
    return handler
}

private func bytes(_ number: Int) -> [UInt8] {
    Array(framed([UInt8](repeating: 0, count: number))[0..<4])
}

@Suite struct SendingTests {
    private static let slices = [
        (0, 1), (5, 100), (1000, 32_767), (7, 32_768), (123, 65_536), (4096, 1_000_000),
        (0, 3_000_000), (2_999_999, 1),
    ]

    private func expected(_ content: [UInt8]) -> [UInt8] {
        Self.slices.flatMap { [0xAB] + content[$0.0..<$0.0 + $0.1] + [0xCD] }
    }

    @Test func slicesOfFilesArriveBetweenOtherBytes() throws {
        let content = pattern(3_000_000)
        let file = try PatternFile(content)
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        try loop.listen(on: socket) { fileServer(file) }
        let client = try TestSocket(port: socket.address.port)
        let all = expected(content)
        try client.send(framed(Self.slices.flatMap { bytes($0.0) + bytes($0.1) }))
        #expect(try client.receive(all.count) == all)
    }

    @Test func slicesOfFilesArriveUnderTLS() throws {
        let content = pattern(3_000_000)
        let file = try PatternFile(content)
        let fixture = try TLSFixture()
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "SSL", host: "127.0.0.1", port: 0)
        var settings = ConnectionSettings()
        settings.tls = try fixture.holder()
        try loop.listen(on: socket, settings) { fileServer(file) }
        let all = expected(content)
        let run = try Run.sClient(
            port: socket.address.port, fixture,
            input: framed(Self.slices.flatMap { bytes($0.0) + bytes($0.1) }), until: all.count)
        #expect(run.output == all)
    }

    @Test(arguments: [false, true])
    func aFileThatIsTooShortClosesTheConnection(tls: Bool) throws {
        let file = try PatternFile(pattern(100_000))
        let fixture = try TLSFixture()
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "A", host: "127.0.0.1", port: 0)
        let closed = Events<CloseReason>()
        var settings = ConnectionSettings()
        if tls { settings.tls = try fixture.holder() }
        try loop.listen(on: socket, settings) { fileServer(file, closed) }
        for count in [60_000, 1000] {
            let client = try TLSClient(
                port: socket.address.port, tls ? fixture.clientSettings : nil)
            #expect(try client.events.next() == .opened)
            client.send(framed(bytes(99_500) + bytes(count)))
            #expect(try closed.next() == .sourceTruncated)
        }
    }

    @Test(arguments: [false, true])
    func aSlowReaderHoldsALimitedNumberOfBytes(tls: Bool) throws {
        let fixture = try TLSFixture()
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "A", host: "127.0.0.1", port: 0)
        var settings = ConnectionSettings()
        settings.unsentBytesMax = 300_000
        if tls { settings.tls = try fixture.holder() }
        let unsent = Highest()
        let answered = Events<Int>()
        try loop.listen(on: socket, settings) {
            let handler = TestHandler()
            var count = 0
            handler.onFrame = { frame, connection in
                connection.send([UInt8](repeating: frame[0], count: 100_000))
                unsent.raise(to: connection.unsentBytes)
                count += 1
                if count == 200 { answered.post(count) }
            }
            return handler
        }
        // 200 requests at once whose answers are 20 MB, of which nothing is read at first.
        var requests: [UInt8] = []
        for index in 0..<200 { requests += framed([UInt8(index)]) }
        var everything: [UInt8] = []
        for index in 0..<200 { everything += [UInt8](repeating: UInt8(index), count: 100_000) }
        if tls {
            let run = try Run.sClient(
                port: socket.address.port, fixture, input: requests, until: everything.count)
            #expect(run.output == everything)
        } else {
            let client = try TestSocket(port: socket.address.port)
            try client.send(requests)
            #expect(try client.receive(everything.count) == everything)
        }
        _ = try answered.next()
        // One answer beyond the limit, and under TLS the ciphertext of one buffer.
        #expect(unsent.value <= 300_000 + 100_000 + 80_000)
    }

    @Test func memoryForHalfFramesIsLimitedAndTheStuckAreClosed() throws {
        let budget = MemoryBudget(limit: 2 * 1024 * 1024)
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "A", host: "127.0.0.1", port: 0)
        var settings = ConnectionSettings()
        settings.budget = budget
        settings.starvedMax = .milliseconds(200)
        let closed = Events<CloseReason>()
        try loop.listen(on: socket, settings) { TestHandler.echo(closed) }
        // Six frames of 1 MB each, all of them without their last byte.
        let greedy = try (0..<6).map { _ in try TestSocket(port: socket.address.port) }
        let threads = try greedy.map { client in
            let descriptor = client.descriptor
            return try WorkerThread(name: "greedy") {
                let bytes = Array(framed(pattern(1_000_000)).dropLast())
                _ = bytes.withUnsafeBytes {
                    send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
            }
        }
        #expect(try closed.next() == .memoryExhausted)
        #expect(budget.used <= budget.limit + 6 * 64 * 1024)
        // Others are served meanwhile.
        let client = try TestSocket(port: socket.address.port)
        try client.send(framed([1, 2, 3]))
        #expect(try client.receiveFrame() == [1, 2, 3])
        loop.stop()
        for thread in threads { thread.join() }
        // Optimised code would close the clients after their last use.
        withExtendedLifetime(greedy) {}
        #expect(budget.used == 0)
    }
}

/// The highest of the numbers it was told, from any thread.
final class Highest: Sendable {
    private let number = Mutex(0)
    func raise(to value: Int) { number.withLock { $0 = max($0, value) } }
    var value: Int { number.withLock { $0 } }
}
