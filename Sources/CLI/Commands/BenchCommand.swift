internal import MillraceBase
internal import MillraceClient
internal import MillraceClientCore
internal import MillraceRecords
internal import Synchronization

/// `millrace bench`: load on a cluster, and what it took.
enum BenchCommand {
    private static func count(_ number: Int) -> Flag {
        Flag("records", .integer(1...Int.max), "How many (default \(number))")
    }
    private static let shared = [
        Flag("size", .integer(1...10_000_000), "Bytes of a value (default 100)"),
        Flag(
            "compression", short: "z", .choice(["none", "gzip", "snappy", "lz4", "zstd"]),
            "Codec of the batches"),
        Flag("partitions", .integer(1...10_000), "Of the topic, if it is made (default 1)"),
    ]
    private static let topicName = Argument(
        "topic", optional: true, "Topic (default: millrace-bench)")

    /// Records that are handed to the producer at once.
    private static let handedOver = 1000
    private static let pollMax = 10_000

    static let all: [Command] = [
        Command(
            path: ["bench", "produce"], summary: "Send records as fast as possible",
            arguments: [topicName], flags: [count(100_000)] + shared, isClient: true, run: produce),
        Command(
            path: ["bench", "consume"], summary: "Read a topic from its start",
            arguments: [topicName],
            flags: [Flag("records", .integer(1...Int.max), "How many at most (default: all)")],
            isClient: true, run: consume),
        Command(
            path: ["bench", "e2e"], summary: "Measure the time from sending to receiving",
            arguments: [topicName],
            flags: [count(10_000)] + shared + [
                Flag("rate", .integer(1...1_000_000), "Records a second (default 1000)")
            ],
            isClient: true, run: endToEnd),
    ]

    private static func topic(_ invocation: Invocation) -> String {
        invocation.argument(0) ?? "millrace-bench"
    }

    /// Makes the topic if need be.
    private static func makeTopic(_ invocation: Invocation, _ client: Admin) throws(CLIError) {
        try TopicCommand.make(
            topic(invocation), partitions: Int32(clamping: invocation.integer("partitions") ?? 1),
            client)
    }

    private static func settings(_ invocation: Invocation) -> ProducerSettings {
        var settings = ProducerSettings()
        settings.codec = invocation.text("compression").flatMap(CompressionCodec.init) ?? .none
        settings.deliveryTimeout = invocation.timeout
        settings.batchBytes = 512 << 10
        // More would be memory that is touched for the first time, not speed.
        settings.bufferBytes = 8 << 20
        return settings
    }

    private static func value(_ invocation: Invocation) -> [UInt8] {
        var generator = SeededGenerator(seed: 1)
        let size = invocation.integer("size") ?? 100
        return (0..<size).map { _ in UInt8.random(in: 0x20...0x7E, using: &generator) }
    }

    private static func produce(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        try makeTopic(invocation, try invocation.connect())
        let (client, settings) = (try invocation.clientSettings(), settings(invocation))
        let value = value(invocation)
        let record = ProducerRecord(topic: topic(invocation), value: value)
        let count = invocation.integer("records") ?? 100_000
        let latencies = BatchLatencies()
        let took = try blocking { () async throws(ClientError) in
            let producer = try await Producer.open(client, settings) { latencies.record($0) }
            var progress = Progress("sent")
            let began = ContinuousClock.now
            let gathered = Array(repeating: record, count: handedOver)
            for index in stride(from: 0, to: count, by: handedOver) {
                let left = count - index
                try await producer.enqueue(
                    left < handedOver ? Array(gathered.prefix(left)) : gathered)
                progress.update(index)
            }
            let summary = await producer.close()
            let took = ContinuousClock.now - began
            progress.end()
            if let error = summary.firstError { throw error }
            return took
        }
        show(
            invocation, "produce", count: count, bytes: count * value.count, took: took,
            latencies.histogram, what: "batch")
        return .done
    }

    private static func consume(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let admin = try invocation.connect()
        let partitions = try TopicCommand.describe([topic(invocation)], admin).namedPartitions
        let starts = try OffsetPosition.earliest.resolve(admin, partitions)
        let ends = try OffsetPosition.latest.resolve(admin, partitions)
        let assigned = starts.filter { $0.value < ends[$0.key] ?? $0.value }
        let limit = invocation.integer("records") ?? .max
        let (client, timeout) = (try invocation.clientSettings(), invocation.timeout)
        var settings = ConsumerSettings()
        // What is read ahead is memory that is touched for the first time.
        settings.bufferBytes = 8 << 20
        let wanted = settings
        let began = ContinuousClock.now
        let (count, bytes) = try blocking { () async throws(ClientError) in
            let consumer = try await Consumer.open(client, wanted)
            try await consumer.assign(assigned.mapValues { .offset(Offset($0)) })
            let found = try await read(
                consumer, until: ends.filter { assigned[$0.key] != nil }, limit, timeout)
            await consumer.close()
            return found
        }
        show(
            invocation, "consume", count: count, bytes: bytes, took: ContinuousClock.now - began,
            LogLinearHistogram(), what: "")
        return .done
    }

    /// Reads to the ends, or `limit` records.
    /// - Returns: records and the bytes of their keys and values.
    private static func read(
        _ consumer: Consumer, until ends: [NamedPartition: Int64], _ limit: Int,
        _ timeout: Duration
    ) async throws(ClientError) -> (Int, Int) {
        var (count, bytes) = (0, 0)
        var progress = Progress("read")
        defer { progress.end() }
        var last = ContinuousClock.now
        while count < limit, !ends.allSatisfy({ $1 <= consumer.positions[$0]?.rawValue ?? -1 }) {
            let records = try await consumer.poll(max: min(limit - count, pollMax))
            for record in records {
                bytes += (record.key?.count ?? 0) + (record.value?.count ?? 0)
            }
            count += records.count
            if !records.isEmpty { last = .now }
            guard .now - last < timeout else { throw .timedOut("the records after \(count)") }
            progress.update(count)
        }
        return (count, bytes)
    }

    private static func endToEnd(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let admin = try invocation.connect()
        try makeTopic(invocation, admin)
        let partitions = try TopicCommand.describe([topic(invocation)], admin).namedPartitions
        let ends = try OffsetPosition.latest.resolve(admin, partitions)
        let (client, timeout) = (try invocation.clientSettings(), invocation.timeout)
        var settings = settings(invocation)
        settings.linger = .zero
        let run = EndToEndRun(
            topic: topic(invocation), value: value(invocation),
            count: invocation.integer("records") ?? 10_000,
            rate: invocation.integer("rate") ?? 1000, began: .now)
        let wanted = settings
        let latencies = try blocking { () async throws(ClientError) in
            let producer = try await Producer.open(client, wanted)
            let consumer = try await Consumer.open(client)
            try await consumer.assign(ends.mapValues { .offset(Offset($0)) })
            async let sent: Void = run.send(producer)
            let latencies = try await run.receive(consumer, timeout: timeout)
            do { try await sent } catch { throw .closed }
            await producer.close()
            await consumer.close()
            return latencies
        }
        show(
            invocation, "e2e", count: run.count, bytes: run.count * run.value.count,
            took: ContinuousClock.now - run.began, latencies, what: "record")
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

/// How long the batches of a producer took.
private final class BatchLatencies: Sendable {
    private let latencies = Mutex(LogLinearHistogram())

    var histogram: LogLinearHistogram { latencies.withLock { $0 } }

    func record(_ delivery: Delivery) {
        guard case .success = delivery.result else { return }
        latencies.withLock { $0.record(delivery.latency.microseconds) }
    }
}

/// Sends at a rate, whatever comes back (open loop), and reads what was sent: the key of each
/// record is the time at which it was handed over.
private struct EndToEndRun: Sendable {
    let topic: String
    let value: [UInt8]
    let count: Int
    /// Records a second.
    let rate: Int
    let began: ContinuousClock.Instant

    private var elapsed: UInt64 { (ContinuousClock.now - began).microseconds }

    func send(_ producer: Producer) async throws(ClientError) {
        var sent = 0
        while sent < count {
            let now = elapsed
            let due = min(count, Int(now) * rate / 1_000_000 + 1)
            if due > sent {
                let record = ProducerRecord(topic: topic, key: Array("\(now)".utf8), value: value)
                try await producer.enqueue(Array(repeating: record, count: due - sent))
                sent = due
            }
            // Cancelled when nobody reads any more.
            guard (try? await Task.sleep(for: .milliseconds(1))) != nil else { return }
        }
    }

    /// - Throws: when records are missing after `timeout` without a new one.
    func receive(
        _ consumer: Consumer, timeout: Duration
    ) async throws(ClientError) -> LogLinearHistogram {
        var latencies = LogLinearHistogram()
        var received = 0
        var last = ContinuousClock.now
        while received < count {
            let records = try await consumer.poll(max: 1000)
            let now = elapsed
            for record in records {
                let sent = record.key.flatMap { UInt64(String(decoding: $0, as: UTF8.self)) } ?? 0
                latencies.record(now > sent ? now - sent : 0)
            }
            received += records.count
            if !records.isEmpty { last = .now }
            guard .now - last < timeout else {
                throw .timedOut("\(count - received) records did not come back")
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
