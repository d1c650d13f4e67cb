import Foundation
import MillraceBase
import Testing

@Suite struct MetricsTests {
    @Test func everyValueIsWithinOnePercentOfItsBucketsMiddle() {
        var value: UInt64 = 1
        while value < 1 << 41 {
            for probe in [value, value &* 3 / 2, value + value / 127] where probe < 1 << 41 {
                let index = LogLinearHistogram.index(of: probe)
                let low = LogLinearHistogram.lowerBound(of: index)
                #expect(low <= probe)
                let next = index + 1
                guard next < LogLinearHistogram.bucketCount else { continue }
                let high = LogLinearHistogram.lowerBound(of: next)
                #expect(probe < high)
                let middle = Double(low + (high - low) / 2)
                #expect(abs(middle - Double(probe)) <= Double(probe) * 0.01)
            }
            value += value / 3 + 1
        }
        #expect(LogLinearHistogram.index(of: .max) == LogLinearHistogram.bucketCount - 1)
    }

    @Test func quantilesOfAUniformDistributionAreWithinOnePercent() {
        var histogram = LogLinearHistogram()
        for value in 1...100_000 { histogram.record(UInt64(value)) }
        for (quantile, expected) in [
            (0.5, 50_000.0), (0.99, 99_000), (0.999, 99_900), (1, 100_000),
        ] {
            let found = Double(histogram.value(atQuantile: quantile))
            #expect(abs(found - expected) <= expected * 0.01)
        }
        #expect(LogLinearHistogram().value(atQuantile: 0.5) == 0)
        var other = LogLinearHistogram()
        other.record(5, count: 2)
        histogram.merge(other)
        #expect(histogram.count == 100_002)
    }

    @Test func cellsOfManyThreadsAddUp() async {
        let registry = MetricsRegistry()
        let counter = registry.counter("millrace_test_events_total", help: "Events.")
        let histogram = registry.latency("millrace_test_wait_seconds", help: "Waiting.")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let (cell, times) = (counter.cell(), histogram.cell())
                    for index in 0..<10_000 {
                        cell.add()
                        times.record(UInt64(index))
                        histogram.record(7)
                        counter.add(2)
                    }
                }
            }
        }
        #expect(counter.value == 120_000)
        #expect(histogram.snapshot().count == 80_000)
    }

    @Test func promtoolAcceptsTheExposition() throws {
        let registry = MetricsRegistry()
        let labels: MetricsRegistry.Labels = [("api", "Produce"), ("error", "a\"b\\c\n")]
        let counter = registry.counter("millrace_test_requests_total", help: "Requests.", labels)
        counter.add(3)
        #expect(
            registry.counter("millrace_test_requests_total", help: "Requests.", labels) === counter)
        registry.gauge("millrace_test_connections", help: "Open connections.").set(5)
        registry.gauge("millrace_test_memory_bytes", help: "Memory.", [("owner", "net")]) { 1.5 }
        registry.gauge("millrace_test_absent_seconds", help: "Absent.") { nil }
        let latency = registry.latency("millrace_test_request_seconds", help: "Latency.", labels)
        latency.record(2_000_000)
        latency.record(70_000_000_000)
        let text = registry.prometheusText()
        #expect(text.contains("millrace_test_connections 5\n"))
        #expect(text.contains(#"millrace_test_requests_total{api="Produce",error="a\"b\\c\n"} 3"#))
        #expect(text.contains(#"le="0.001"} 0"#) && text.contains(#"le="0.0025"} 1"#))
        try checkWithPromtool(text)
    }

    private func checkWithPromtool(_ text: String) throws {
        let path = ["/usr/bin/promtool", "/usr/local/bin/promtool"]
            .first { FileManager.default.isExecutableFile(atPath: $0) }
        let promtool = try #require(path, "make deps installs promtool")
        let process = Process()
        process.executableURL = URL(filePath: promtool)
        process.arguments = ["check", "metrics"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        input.fileHandleForWriting.write(Data(text.utf8))
        try input.fileHandleForWriting.close()
        let said = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "promtool: \(said)")
    }
}
