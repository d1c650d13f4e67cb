import Foundation
import MillraceBase
import MillraceNet
import Testing

/// A peer in a process of its own, since each end of a connection takes a descriptor. It opens idle
/// connections, says so, and at a line of its input slow ones: half of them drip a large frame,
/// half ask for much and read a byte now and then.
private let peerScript = """
    import select, socket, struct, sys, time
    port, idle, slow = map(int, sys.argv[1:4])
    kept = [socket.create_connection(("127.0.0.1", port)) for _ in range(idle)]
    sys.stdout.write("idle\\n"); sys.stdout.flush()
    sys.stdin.readline()
    slows = [socket.create_connection(("127.0.0.1", port)) for _ in range(slow)]
    for index, peer in enumerate(slows):
        peer.setblocking(False)
        if index % 2:
            peer.send(struct.pack(">i", 200000))
        else:
            frame = struct.pack(">i", 100000) + bytes(100000)
            try:
                for _ in range(20): peer.send(frame)
            except BlockingIOError:
                pass
    sys.stdout.write("slow\\n"); sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        for index, peer in enumerate(slows):
            try:
                peer.send(b"x") if index % 2 else peer.recv(1)
            except BlockingIOError:
                pass
    """

@Suite struct ManyConnectionsTests {
    private func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return (Int(text.split(separator: " ")[1]) ?? 0) * 4096
    }

    /// Microseconds of round trips on one connection, sorted.
    private func roundTrips(_ client: TestSocket, _ count: Int) throws -> [Double] {
        let clock = ContinuousClock()
        let frame = framed(pattern(100))
        return try (0..<count).map { _ in
            let began = clock.now
            try client.send(frame)
            _ = try client.receiveFrame()
            return Double((clock.now - began).nanosecondsClamped) / 1000
        }.sorted()
    }

    /// Runs in a process of its own, so that its memory is that of the connections: see below.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["MILLRACE_MANY_CONNECTIONS"] != nil))
    func childWithManyConnections() throws {
        let idle = min(10_000, Int(ProcessLimits.raiseDescriptorLimit()) - 500)
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(
            name: "PLAINTEXT", host: "127.0.0.1", port: 0, backlog: 1024)
        var settings = ConnectionSettings()
        settings.unsentBytesMax = 256 * 1024
        try loop.listen(on: socket, settings) { TestHandler.echo() }
        let client = try TestSocket(port: socket.address.port)
        _ = try roundTrips(client, 500)
        let before = try roundTrips(client, 2000)
        let memoryBefore = try residentBytes()

        let peer = Process()
        peer.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        peer.arguments = [
            "python3", "-c", peerScript, "\(socket.address.port)", "\(idle)", "300",
        ]
        let (input, output) = (Pipe(), Pipe())
        peer.standardInput = input
        peer.standardOutput = output
        try peer.run()
        defer { peer.terminate() }
        #expect(
            String(decoding: output.fileHandleForReading.availableData, as: UTF8.self) == "idle\n")
        // Answered behind the last of them.
        _ = try roundTrips(client, 10)
        #expect(try loop.sync { $0.connectionCount } == idle + 1)
        let perConnection = (try residentBytes() - memoryBefore) / idle
        #expect(perConnection < 4096, "\(perConnection) bytes an idle connection")

        try input.fileHandleForWriting.write(contentsOf: Data("go\n".utf8))
        #expect(
            String(decoding: output.fileHandleForReading.availableData, as: UTF8.self) == "slow\n")
        let after = try roundTrips(client, 2000)
        try input.fileHandleForWriting.close()
        print(
            "idle connections: \(idle), \(perConnection) bytes each; round trip p50 / p99 "
                + "\(before[1000]) / \(before[1980]) us alone, \(after[1000]) / \(after[1980]) us "
                + "beside them")
        // The peer itself takes a processor now and then: what is excluded is waiting for it.
        #expect(after[1000] < before[1000] * 3 + 500)
        #expect(after[1980] < before[1980] * 3 + 20_000)
    }

    @Test func idleAndSlowConnectionsDoNotSlowAWorkingOne() throws {
        let executable = try FileManager.default.destinationOfSymbolicLink(
            atPath: "/proc/self/exe")
        let run = try Run.program(
            "env",
            [
                "MILLRACE_MANY_CONNECTIONS=1", executable, "--testing-library", "swift-testing",
                "--filter", "childWithManyConnections",
            ])
        let output = String(decoding: run.output, as: UTF8.self) + run.errors
        #expect(run.status == 0, "\(output)")
        #expect(output.contains("childWithManyConnections() passed"), "\(output)")
    }
}
