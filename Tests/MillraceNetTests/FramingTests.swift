import MillraceBase
import MillraceNet
import Synchronization
import Testing

@Suite struct FramingTests {
    private func server(
        _ settings: ConnectionSettings = ConnectionSettings(),
        closed: Events<CloseReason> = Events()
    ) throws -> (RunningLoop, UInt16) {
        let loop = try RunningLoop()
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        try loop.listen(on: socket, settings) { TestHandler.echo(closed) }
        return (loop, socket.address.port)
    }

    @Test func aFrameMayArriveByteByByte() throws {
        let (loop, port) = try server()
        defer { loop.stop() }
        let client = try TestSocket(port: port)
        for byte in framed([1, 2, 3, 4, 5]) { try client.send([byte]) }
        #expect(try client.receiveFrame() == [1, 2, 3, 4, 5])
    }

    @Test func pipelinedFramesAreAnsweredInOrder() throws {
        let (loop, port) = try server()
        defer { loop.stop() }
        let client = try TestSocket(port: port)
        var all: [UInt8] = []
        for index in 0..<5000 { all += framed(pattern(index % 90, seed: index)) }
        try client.send(all)
        for index in 0..<5000 {
            let answer = try client.receiveFrame()
            #expect(answer == pattern(index % 90, seed: index))
            guard answer.count == index % 90 else { return }
        }
    }

    /// Others take and give back the node's memory at any moment, also between two looks of one
    /// burst.
    @Test func framesKeepTheirOrderWhileTheMemoryOfRequestsFillsAndEmpties() throws {
        let budget = MemoryBudget(limit: 1 << 20)
        var settings = ConnectionSettings()
        settings.budget = budget
        let (loop, port) = try server(settings)
        defer { loop.stop() }
        let isDone = Atomic<Bool>(false)
        let others = try WorkerThread(name: "others") {
            while !isDone.load(ordering: .relaxed) {
                budget.keep(budget.limit)
                budget.drop(budget.limit)
            }
        }
        defer {
            isDone.store(true, ordering: .relaxed)
            others.join()
        }
        let client = try TestSocket(port: port)
        // Each look that finds it full costs 10 ms: few frames, which come one by one.
        for index in 0..<150 {
            try client.send(framed(pattern(index % 90, seed: index)))
        }
        for index in 0..<150 {
            let answer = try client.receiveFrame()
            try #require(answer == pattern(index % 90, seed: index))
        }
    }

    @Test func anEmptyFrameIsAFrame() throws {
        let (loop, port) = try server()
        defer { loop.stop() }
        let client = try TestSocket(port: port)
        try client.send(framed([]) + framed([7]))
        #expect(try client.receiveFrame() == [])
        #expect(try client.receiveFrame() == [7])
    }

    @Test(arguments: [70_000, 262_144, 1_000_000, 5_000_000])
    func framesLargerThanAnyBufferArriveWhole(size: Int) throws {
        let (loop, port) = try server()
        defer { loop.stop() }
        let client = try TestSocket(port: port)
        let frame = pattern(size)
        try client.send(framed(frame) + framed([1, 2]))
        #expect(try client.receiveFrame() == frame)
        #expect(try client.receiveFrame() == [1, 2])
    }

    @Test(arguments: [Int32(-1), .min, 1001, .max])
    func aSizeThatIsNotAllowedClosesTheConnection(size: Int32) throws {
        let closed = Events<CloseReason>()
        var settings = ConnectionSettings()
        settings.frameBytesMax = 1000
        let (loop, port) = try server(settings, closed: closed)
        defer { loop.stop() }
        let client = try TestSocket(port: port)
        let bits = UInt32(bitPattern: size)
        try client.send([
            UInt8(bits >> 24), UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255), UInt8(bits & 255),
        ])
        #expect(client.isClosedByPeer())
        #expect(try closed.next() == .frameSize(size))
    }

    @Test func aDeclaredSizeTakesNoMemoryUntilBytesArrive() throws {
        let budget = MemoryBudget(limit: 64 * 1024 * 1024)
        var settings = ConnectionSettings()
        settings.budget = budget
        let (loop, port) = try server(settings)
        defer { loop.stop() }
        var clients: [TestSocket] = []
        for _ in 0..<50 {
            let client = try TestSocket(port: port)
            // 100 MiB declared, ten bytes sent.
            try client.send([0x06, 0x40, 0, 0] + pattern(10))
            clients.append(client)
        }
        // Whatever was sent before is taken in before this is answered.
        let probe = try TestSocket(port: port)
        try probe.send(framed([1]))
        _ = try probe.receiveFrame()
        #expect(budget.used <= 50 * 8192)
        clients = []
        probe.shutdownWriting()
        #expect(probe.isClosedByPeer())
        let connections = try loop.sync { loop in
            loop.connectionCount
        }
        #expect(connections <= 50)
    }

    @Test func aFrameMayBeChangedInPlace() throws {
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        try loop.listen(on: socket) {
            let handler = TestHandler()
            handler.onFrame = { frame, connection in
                frame[0] = 99
                connection.send(copying: UnsafeRawBufferPointer(frame))
            }
            return handler
        }
        let client = try TestSocket(port: socket.address.port)
        try client.send(framed([1, 2, 3]))
        #expect(try client.receive(3) == [99, 2, 3])
    }

    @Test func whatWasSentBeforeTheEndIsAnsweredAndTheEndIsTold() throws {
        let closed = Events<CloseReason>()
        let (loop, port) = try server(closed: closed)
        defer { loop.stop() }
        let client = try TestSocket(port: port)
        try client.send(framed([1]) + framed([2]))
        client.shutdownWriting()
        #expect(client.receiveAll() == framed([1]) + framed([2]))
        #expect(try closed.next() == .peerClosed)
    }

    @Test func bothFamiliesReachASocketWithoutAHost() throws {
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "PLAINTEXT", host: nil, port: 0)
        let peers = Events<SocketAddress>()
        try loop.listen(on: socket) {
            let handler = TestHandler.echo()
            handler.onOpened = { peers.post($0.peer) }
            return handler
        }
        let old = try TestSocket(port: socket.address.port)
        #expect(try peers.next().ip == IPAddress("127.0.0.1"))
        let new = try TestSocket(port: socket.address.port, ipv6: true)
        #expect(try peers.next().ip == IPAddress("::1"))
        for client in [old, new] {
            try client.send(framed([5]))
            #expect(try client.receiveFrame() == [5])
        }
    }

    @Test func closeAfterFlushSendsWhatIsQueued() throws {
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        let closed = Events<CloseReason>()
        try loop.listen(on: socket) {
            let handler = TestHandler()
            handler.onFrame = { _, connection in
                connection.send(pattern(3_000_000))
                connection.closeAfterFlush("done")
            }
            handler.onClosed = { closed.post($1) }
            return handler
        }
        let client = try TestSocket(port: socket.address.port)
        try client.send(framed([1]))
        #expect(client.receiveAll() == pattern(3_000_000))
        #expect(try closed.next() == .closedByUs("done"))
    }

    @Test func aFrameBehindACloseIsNotHandedOver() throws {
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        let frames = Events<[UInt8]>()
        let closed = Events<CloseReason>()
        try loop.listen(on: socket) {
            let handler = TestHandler()
            handler.onFrame = { frame, connection in
                frames.post(Array(frame))
                connection.send(framed([9]))
                connection.close("enough")
            }
            handler.onClosed = { closed.post($1) }
            return handler
        }
        let client = try TestSocket(port: socket.address.port)
        try client.send(framed([1]) + framed([2]))
        #expect(try client.receiveFrame() == [9])
        #expect(try closed.next() == .closedByUs("enough"))
        #expect(frames.count == 1)
    }

    /// Counts frames between the ends of bursts, and sends each back.
    private final class BurstHandler: ConnectionHandler {
        let largest: Highest
        private var count = 0

        init(_ largest: Highest) { self.largest = largest }

        func opened(_ connection: Connection) {}
        func received(_ frame: UnsafeMutableRawBufferPointer, on connection: Connection) {
            count += 1
            largest.raise(to: count)
            connection.send(framed(Array(frame)))
        }
        func burstEnded(on connection: Connection) { count = 0 }
        func closed(_ connection: Connection, reason: CloseReason) {}
    }

    @Test(arguments: [false, true])
    func manySmallFramesAreHandedOverInTurns(tls: Bool) throws {
        let fixture = try TLSFixture()
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "A", host: "127.0.0.1", port: 0)
        var settings = ConnectionSettings()
        if tls { settings.tls = try fixture.holder() }
        let largest = Highest()
        try loop.listen(on: socket, settings) { BurstHandler(largest) }
        let client = try TLSClient(port: socket.address.port, tls ? fixture.clientSettings : nil)
        #expect(try client.events.next() == .opened)
        client.send((0..<20_000).flatMap { framed([UInt8(truncatingIfNeeded: $0)]) })
        for index in 0..<20_000 {
            #expect(try client.events.next() == .frame([UInt8(truncatingIfNeeded: index)]))
        }
        #expect(largest.value <= 128)
    }
}
