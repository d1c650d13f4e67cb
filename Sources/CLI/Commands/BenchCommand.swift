internal import MillraceBase
internal import MillraceClient
internal import MillraceProtocol
internal import MillraceRecords

/// `millrace bench`: load on a cluster, and what it took.
enum BenchCommand {
    private static let shared = [
        Flag("records", .integer(1...Int.max), "How many (default 100000)"),
        Flag("size", .integer(1...10_000_000), "Bytes of a value (default 100)"),
        Flag(
            "compression", short: "z", .choice(["none", "gzip", "snappy", "lz4", "zstd"]),
            "Codec of the batches"),
        Flag("partitions", .integer(1...10_000), "Of the topic, if it is made (default 1)"),
    ]
    private static let topic = Argument("topic", optional: true, "Topic (default: millrace-bench)")

    static let all: [Command] = [
        Command(
            path: ["bench", "produce"], summary: "Send records as fast as possible",
            arguments: [topic], flags: shared, isClient: true, run: produce),
        Command(
            path: ["bench", "consume"], summary: "Read a topic from its start",
            arguments: [topic],
            flags: [Flag("records", .integer(1...Int.max), "How many at most (default: all)")],
            isClient: true, run: consume),
        Command(
            path: ["bench", "e2e"], summary: "Measure the time from sending to receiving",
            arguments: [topic],
            flags: shared + [
                Flag("rate", .integer(1...1_000_000), "Records a second (default 1000)")
            ],
            isClient: true, run: endToEnd),
    ]

    private static func open(
        _ invocation: Invocation, _ client: RequestClient
    ) throws(CLIError) -> RecordSender {
        let name = invocation.argument(0) ?? "millrace-bench"
        try TopicCommand.make(
            name, partitions: Int32(clamping: invocation.integer("partitions") ?? 1), client)
        var settings = RecordSender.Settings(topic: name)
        settings.codec = invocation.text("compression").flatMap(CompressionCodec.init) ?? .none
        return try ask { () throws(RequestError) in try RecordSender(client, settings) }
    }

    private static func value(_ invocation: Invocation) -> [UInt8] {
        var generator = SeededGenerator(seed: 1)
        let size = invocation.integer("size") ?? 100
        return (0..<size).map { _ in UInt8.random(in: 0x20...0x7E, using: &generator) }
    }

    private static func produce(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let client = try invocation.connect()
        let sender = try open(invocation, client)
        var latencies = LogLinearHistogram()
        sender.delivered = { latencies.record($0.latency.microseconds) }
        let value = value(invocation)
        let count = invocation.integer("records") ?? 100_000
        var progress = Progress("sent")
        let began = ContinuousClock.now
        for index in 0..<count {
            try ask { () throws(RequestError) in
                try sender.send(key: nil, value: value, timestamp: client.moment.timestamp)
            }
            if index & 1023 == 0 { progress.update(index) }
        }
        try ask { () throws(RequestError) in try sender.flush() }
        progress.end()
        show(
            invocation, "produce", count: count, bytes: count * value.count,
            took: ContinuousClock.now - began, latencies, what: "batch")
        return .done
    }

    private static func consume(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let client = try invocation.connect()
        let name = invocation.argument(0) ?? "millrace-bench"
        let limit = invocation.integer("records") ?? .max
        let metadata = try ask { () throws(RequestError) in try client.metadata(topics: [name]) }
        for topic in metadata.topics { try check(topic.errorCode, "topic \(name)") }
        let starts = try OffsetPosition.earliest.resolve(client, metadata.topics)
        let ends = try OffsetPosition.latest.resolve(client, metadata.topics)
        var assigned: [ListOffsets.Partition: (next: Int64, end: Int64?)] = [:]
        for (partition, start) in starts { assigned[partition] = (start, ends[partition] ?? start) }
        let fetcher = RecordFetcher(client)
        var (count, bytes) = (0, 0)
        fetcher.received = { record in
            count += 1
            bytes += (record.key?.count ?? 0) + (record.value?.count ?? 0)
            return count < limit
        }
        let wanted = assigned
        var progress = Progress("read")
        let began = ContinuousClock.now
        try ask { () throws(RequestError) in try fetcher.assign(wanted) }
        while count < limit, !fetcher.isAtEnd {
            try ask { () throws(RequestError) in
                try fetcher.turn(until: client.now + .milliseconds(200))
            }
            progress.update(count)
        }
        progress.end()
        show(
            invocation, "consume", count: count, bytes: bytes, took: ContinuousClock.now - began,
            LogLinearHistogram(), what: "")
        return .done
    }

    private static func endToEnd(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let client = try invocation.connect()
        let sender = try open(invocation, client)
        let name = invocation.argument(0) ?? "millrace-bench"
        let reader = try invocation.connect()
        let metadata = try ask { () throws(RequestError) in try reader.metadata(topics: [name]) }
        var assigned: [ListOffsets.Partition: (next: Int64, end: Int64?)] = [:]
        for (partition, end) in try OffsetPosition.latest.resolve(reader, metadata.topics) {
            assigned[partition] = (end, nil)
        }
        let fetcher = RecordFetcher(reader)
        var run = EndToEndRun(
            sender, client, fetcher, reader, value: value(invocation),
            count: invocation.integer("records") ?? 10_000, rate: invocation.integer("rate") ?? 1000
        )
        let wanted = assigned
        try ask { () throws(RequestError) in try fetcher.assign(wanted) }
        let began = ContinuousClock.now
        let latencies = try run.run(timeout: invocation.timeout)
        show(
            invocation, "e2e", count: run.count, bytes: run.count * run.value.count,
            took: ContinuousClock.now - began, latencies, what: "record")
        return .done
    }

    private static func show(
        _ invocation: Invocation, _ kind: String, count: Int, bytes: Int, took: Duration,
        _ latencies: LogLinearHistogram, what: String
    ) {
        let seconds = max(0.001, Double(took.microseconds) / 1e6)
        let rate = Int(Double(count) / seconds)
        let quantiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)].map {
            (name: $0.0, value: latencies.value(atQuantile: $0.1))
        }
        let hasLatencies = latencies.count > 0
        func milliseconds(_ micros: UInt64) -> String {
            hasLatencies ? "\(Double(micros) / 1000)" : ""
        }
        invocation.show(
            Listing(
                columns: [
                    Column("BENCH"), Column("RECORDS", right: true), Column("SECONDS", right: true),
                    Column("RECORDS/S", right: true), Column("MB/S", right: true),
                ] + quantiles.map { Column("\($0.name.uppercased()) MS", right: true) }
                    + [Column("MAX MS", right: true)],
                rows: [
                    [
                        kind, "\(count)", "\((seconds * 1000).rounded() / 1000)", "\(rate)",
                        "\((Double(bytes) / seconds / 1e4).rounded() / 100)",
                    ] + quantiles.map { milliseconds($0.value) } + [milliseconds(latencies.max)]
                ],
                json: .object([
                    ("bench", .text(kind)), ("records", JSONValue(count)),
                    ("bytes", JSONValue(bytes)), ("took_ms", JSONValue(took.milliseconds)),
                    ("records_per_second", JSONValue(rate)),
                    ("latency_of", hasLatencies ? .text(what) : .null),
                    (
                        "latency_us",
                        hasLatencies
                            ? .object(
                                quantiles.map { ($0.name, JSONValue($0.value)) }
                                    + [("max", JSONValue(latencies.max))]) : .null
                    ),
                ])))
    }
}

/// Sends at a rate and reads what was sent, on one thread: the time of each record is in it.
struct EndToEndRun {
    private let sender: RecordSender
    private let client: RequestClient
    private let fetcher: RecordFetcher
    private let reader: RequestClient
    let value: [UInt8]
    let count: Int
    private let rate: Int

    init(
        _ sender: RecordSender, _ client: RequestClient, _ fetcher: RecordFetcher,
        _ reader: RequestClient, value: [UInt8], count: Int, rate: Int
    ) {
        (self.sender, self.client, self.fetcher, self.reader) = (sender, client, fetcher, reader)
        (self.value, self.count, self.rate) = (value, count, rate)
        fetcher.waitMaxMs = 5
    }

    /// - Throws: when records are missing after `timeout` without a new one.
    mutating func run(timeout: Duration) throws(CLIError) -> LogLinearHistogram {
        var latencies = LogLinearHistogram()
        let began = ContinuousClock.now
        var received = 0
        var last = began
        fetcher.received = { record in
            received += 1
            let now = ContinuousClock.now
            last = now
            let sent = record.key.flatMap { UInt64(String(decoding: $0, as: UTF8.self)) } ?? 0
            let elapsed = (now - began).microseconds
            latencies.record(elapsed > sent ? elapsed - sent : 0)
            return true
        }
        var sent = 0
        while received < count {
            let now = ContinuousClock.now
            let due = min(count, Int((now - began).microseconds) * rate / 1_000_000 + 1)
            let (first, stamp) = (sent, "\((now - began).microseconds)")
            try ask { () throws(RequestError) in
                for _ in first..<max(due, first) {
                    try sender.send(
                        key: Array(stamp.utf8), value: value, timestamp: client.moment.timestamp)
                }
                try sender.push()
                try sender.wait(.milliseconds(1))
                try fetcher.turn(until: reader.now + .milliseconds(1))
            }
            sent = max(due, first)
            guard now - last < timeout else {
                throw CLIError("\(count - received) records did not come back", .unreachable)
            }
        }
        return latencies
    }
}

extension Duration {
    /// Whole microseconds; none if negative.
    var microseconds: UInt64 {
        UInt64(
            clamping: components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000)
    }
}
