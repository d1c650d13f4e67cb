import Foundation
import MillraceBase
import MillraceNet
import Testing

@Suite struct LimitTests {
    private struct Setup {
        let loop: RunningLoop
        let port: UInt16
        let opened = Events<ConnectionID>()
        let closed = Events<CloseReason>()
        let lines: Events<String>
    }

    private func serve(_ settings: ConnectionSettings) throws -> Setup {
        let log = capturingLog()
        let loop = try RunningLoop(log: log.log)
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        let setup = Setup(loop: loop, port: socket.address.port, lines: log.lines)
        let (opened, closed) = (setup.opened, setup.closed)
        try loop.listen(on: socket, settings) {
            let handler = TestHandler.echo(closed)
            handler.onOpened = { opened.post($0.id) }
            return handler
        }
        return setup
    }

    @Test func anAddressHasItsNumberOfConnections() throws {
        let quota = ConnectionQuota(
            perIP: 2, overrides: [try #require(IPAddress("127.0.0.7")): 3])
        let counters = NetCounters()
        var settings = ConnectionSettings()
        settings.quota = quota
        settings.counters = counters
        let server = try serve(settings)
        defer { server.loop.stop() }
        for (source, limit) in [("127.0.0.5", 2), ("127.0.0.7", 3)] {
            let clients = try (0..<limit).map { _ in
                try TestSocket(port: server.port, from: source)
            }
            for client in clients {
                try client.send(framed([1]))
                #expect(try client.receiveFrame() == [1])
            }
            let refused = try TestSocket(port: server.port, from: source)
            #expect(refused.isClosedByPeer())
            let line = try server.lines.next()
            #expect(line.contains("max.connections.per.ip") && line.contains(source))
            clients[0].shutdownWriting()
            #expect(clients[0].isClosedByPeer())
            _ = try server.closed.next()
            let next = try TestSocket(port: server.port, from: source)
            try next.send(framed([2]))
            #expect(try next.receiveFrame() == [2])
        }
        #expect(counters.connectionsRefused.value == 2)
        #expect(counters.connectionsAccepted.value == 7)
        #expect(counters.bytesReceived.value == 7 * 5)
    }

    @Test func theNodeHasItsNumberOfConnectionsWhichMayChange() throws {
        let quota = ConnectionQuota(total: 1)
        var settings = ConnectionSettings()
        settings.quota = quota
        let server = try serve(settings)
        defer { server.loop.stop() }
        let first = try TestSocket(port: server.port)
        try first.send(framed([1]))
        #expect(try first.receiveFrame() == [1])
        #expect(try TestSocket(port: server.port).isClosedByPeer())
        #expect(try server.lines.next().contains("max.connections is reached"))
        quota.update(total: 2, perIP: .max, overrides: [:])
        let second = try TestSocket(port: server.port)
        try second.send(framed([1]))
        #expect(try second.receiveFrame() == [1])
    }

    @Test func aSilentConnectionIsClosedAndABusyOneIsNot() throws {
        var settings = ConnectionSettings()
        settings.idleMax = .milliseconds(300)
        let server = try serve(settings)
        defer { server.loop.stop() }
        let silent = try TestSocket(port: server.port)
        let silentID = try server.opened.next()
        let busy = try TestSocket(port: server.port)
        let worker = Events<Bool>()
        let busyThread = try WorkerThread(name: "busy") { [descriptor = busy.descriptor] in
            // Sends while the other is silent, until the test says that it is over.
            var byte = framed([1])
            while worker.count == 0 {
                send(descriptor, &byte, byte.count, Int32(MSG_NOSIGNAL))
                usleep(20_000)
            }
        }
        #expect(silent.isClosedByPeer())
        #expect(try server.closed.next() == .idle)
        let busyID = try server.opened.next()
        let alive = try server.loop.sync { loop in
            (loop.connection(silentID) == nil, loop.connection(busyID) != nil)
        }
        worker.post(true)
        busyThread.join()
        #expect(alive.0 && alive.1)
        #expect(try busy.receiveFrame() == [1])
        // Now it is silent as well.
        #expect(busy.isClosedByPeer())
    }

    @Test func aReaderThatTakesNothingIsClosedAsIdle() throws {
        var settings = ConnectionSettings()
        settings.idleMax = .milliseconds(300)
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        let closed = Events<CloseReason>()
        try loop.listen(on: socket, settings) {
            let handler = TestHandler()
            handler.onFrame = { $1.send([UInt8](repeating: 1, count: 20_000_000)) }
            handler.onClosed = { closed.post($1) }
            return handler
        }
        let client = try TestSocket(port: socket.address.port)
        try client.send(framed([1]))
        #expect(try closed.next() == .idle)
    }

    @Test func theSoftDescriptorLimitIsRaised() {
        var limit = rlimit()
        let raised = ProcessLimits.raiseDescriptorLimit()
        getrlimit(__rlimit_resource_t(7), &limit)  // RLIMIT_NOFILE
        #expect(limit.rlim_cur == limit.rlim_max)
        #expect(raised == UInt64(limit.rlim_max))
    }

    /// Runs in a process of its own, with few descriptors: see below.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["MILLRACE_FEW_DESCRIPTORS"] != nil))
    func childWithFewDescriptors() throws {
        let server = try serve(ConnectionSettings())
        defer { server.loop.stop() }
        // Each connection takes two descriptors here; the backlog takes what is not accepted.
        var clients: [TestSocket] = []
        while let client = try? TestSocket(port: server.port), clients.count < 40 {
            try client.send(framed([1]))
            clients.append(client)
        }
        let line = try server.lines.next()
        #expect(line.contains("net.descriptors") && line.contains("Too many open files"))
        // Room is made: those that waited are accepted within a second.
        let kept = clients[clients.count - 3]
        clients.removeAll { $0 !== kept }
        #expect(try kept.receiveFrame() == [1])
        // One line for the whole shortage.
        #expect(server.lines.count == 0)
    }

    @Test func withoutDescriptorsAcceptingStopsForASecondAndSaysSo() throws {
        let executable = try FileManager.default.destinationOfSymbolicLink(
            atPath: "/proc/self/exe")
        let run = try Run.program(
            "bash",
            [
                "-c",
                "ulimit -n 64; MILLRACE_FEW_DESCRIPTORS=1 exec \"$0\" "
                    + "--testing-library swift-testing --filter childWithFewDescriptors",
                executable,
            ])
        let output = String(decoding: run.output, as: UTF8.self) + run.errors
        #expect(run.status == 0, "\(output)")
        #expect(output.contains("childWithFewDescriptors() passed"), "\(output)")
    }
}
