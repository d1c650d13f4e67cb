import Broker
import Foundation
import MillraceBase
import MillraceNet
import Server
import Synchronization
import Testing

@Suite struct NodePagesTests {
    /// A clock that the test sets.
    private final class Clock: Sendable {
        let seconds = Mutex<Int64>(0)
        var now: Instant { Instant(nanoseconds: seconds.withLock { $0 } * 1_000_000_000) }
    }

    private func get(_ pages: NodePages, _ path: String, verbose: Bool = false) -> HTTPResponse {
        pages.answer(
            HTTPRequest(
                method: "GET", path: path, query: verbose ? [("verbose", "")] : [], body: [],
                peer: "127.0.0.1"))
    }

    private func text(_ response: HTTPResponse) -> String {
        String(decoding: response.body, as: UTF8.self)
    }

    @Test func aNodeIsReadyWhenAllThatServingNeedsIsWell() {
        let health = NodeHealth(clock: { .zero })
        let pages = NodePages(health: health, registry: MetricsRegistry())
        #expect(get(pages, "/readyz").status == 503)
        #expect(get(pages, "/livez").status == 200)
        health.report("metadata", problem: "catching up")
        health.report("disk", problem: nil)
        #expect(get(pages, "/readyz").status == 503)
        health.report("metadata", problem: nil)
        health.report("certificate", problem: "expires in 3 days", isNeededToServe: false)
        #expect(get(pages, "/readyz").status == 200)
        let verbose = get(pages, "/healthz", verbose: true)
        #expect(verbose.status == 503)
        #expect(
            text(verbose)
                == "[-] certificate: expires in 3 days\n[+] disk: ok\n[+] metadata: ok\nfailing\n")
        let fault = Mutex<String?>(nil)
        health.watch("log directory") { fault.withLock { $0 } }
        #expect(get(pages, "/readyz").status == 200)
        fault.withLock { $0 = "cannot sync" }
        #expect(get(pages, "/readyz").status == 503)
        fault.withLock { $0 = nil }
        health.stop()
        #expect(get(pages, "/readyz").status == 503)
        #expect(get(pages, "/livez").status == 200)
    }

    @Test func aLoopThatHangsIsNotAlive() {
        let clock = Clock()
        let health = NodeHealth(clock: { clock.now })
        let pages = NodePages(health: health, registry: MetricsRegistry())
        health.beat("shard 0")
        clock.seconds.withLock { $0 = 9 }
        #expect(get(pages, "/livez").status == 200)
        clock.seconds.withLock { $0 = 11 }
        #expect(get(pages, "/livez").status == 503)
        #expect(
            text(get(pages, "/healthz", verbose: true)).contains("loop shard 0: no turn for 11"))
    }

    @Test func otherPathsAndMethodsAreRefused() {
        let pages = NodePages(
            health: NodeHealth(clock: { .zero }), registry: MetricsRegistry())
        #expect(get(pages, "/nothing").status == 404)
        let post = HTTPRequest(method: "POST", path: "/metrics", query: [], body: [], peer: "")
        #expect(pages.answer(post).status == 405)
    }

    @Test func promtoolAcceptsTheMetricsOfANode() throws {
        let metrics = NodeMetrics()
        var shard = metrics.shard(apis: [(0, "Produce"), (3, "Metadata")])
        shard.answered(api: 0, after: 150_000)
        shard.answered(api: 77, after: 150_000)
        for code in 1...40 { shard.failed(api: 3, errorCode: Int16(code)) }
        shard.bytesIn.add(100)
        metrics.memory(owner: "net") { 12 }
        metrics.certificateExpiry(listener: "SSL") { 1.8e9 }
        metrics.registry.counter("millrace_net_connections_accepted_total", help: "Accepted.") { 2 }
        metrics.flushTime.record(1_000_000)
        let pages = NodePages(
            health: NodeHealth(clock: { .zero }), registry: metrics.registry)
        let text = text(get(pages, "/metrics"))
        #expect(text.contains("millrace_broker_requests_total{api=\"Produce\"} 1\n"))
        #expect(text.contains("error=\"-1\"} 8\n"))
        try Self.checkWithPromtool(text)
    }

    static func checkWithPromtool(_ text: String) throws {
        let path = ["/usr/bin/promtool", "/usr/local/bin/promtool"]
            .first { FileManager.default.isExecutableFile(atPath: $0) }
        let process = Process()
        process.executableURL = URL(filePath: try #require(path, "make deps installs promtool"))
        process.arguments = ["check", "metrics"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        input.fileHandleForWriting.write(Data(text.utf8))
        try input.fileHandleForWriting.close()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(
            process.terminationStatus == 0, "promtool: \(String(decoding: said, as: UTF8.self))")
    }
}
