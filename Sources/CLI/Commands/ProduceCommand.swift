internal import Glibc
internal import MillraceBase
internal import MillraceClient
internal import MillraceClientCore
internal import MillraceNet
internal import MillraceProtocol
internal import MillraceRecords

/// `millrace produce`: records from files or standard input.
enum ProduceCommand {
    static let command = Command(
        path: ["produce"], summary: "Send records from standard input or files",
        details: """
            Each line is a record. With -K the key stands before the delimiter.

              echo 'k1:hello' | millrace produce clicks -K : --header source=shell
              millrace produce clicks access.log --compression zstd
            """,
        arguments: [
            Argument("topic", "Name of the topic"),
            Argument("file", optional: true, variadic: true, "Files (default: standard input)"),
        ],
        flags: [
            Flag(
                "key-delimiter", short: "K", .text("TEXT"), "What separates key from value"
            ),
            Flag("message-key", short: "k", .text("KEY"), "The key of all records"),
            Flag(
                "header", short: "H", .text("KEY=VALUE"), repeated: true,
                "A header of all records"),
            Flag("partition", short: "p", .integer(0...Int(Int32.max)), "Where all records go"),
            Flag(
                "compression", short: "z", .choice(["none", "gzip", "snappy", "lz4", "zstd"]),
                "Codec of the batches"),
            Flag(
                "delimiter", short: "D", .text("TEXT"), "What ends a record (default: a new line)"),
            Flag("whole-files", "Each file is one record"),
            Flag("null", short: "Z", "Empty values are null (tombstones), empty keys too"),
            Flag("acks", .choice(["all", "1", "0"]), "Who must have the records (default: all)"),
            Flag("count", short: "c", .integer(1...Int.max), "End after so many records"),
        ], isClient: true, run: run)

    private static func run(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let topic = invocation.argument(0) ?? ""
        var settings = ProducerSettings()
        settings.codec = invocation.text("compression").flatMap(CompressionCodec.init) ?? .none
        settings.deliveryTimeout = invocation.timeout
        settings.batchBytes = 256 << 10
        switch invocation.text("acks") {
        case "0": (settings.acks, settings.isIdempotent) = (0, false)
        case "1": (settings.acks, settings.isIdempotent) = (1, false)
        default: break
        }
        let headers = try invocation.pairs("header").map {
            RecordHeader(key: $0.key, value: Array($0.value.utf8))
        }
        try checkTopic(topic, invocation)
        let client = try invocation.clientSettings()
        let wanted = settings
        let producer = try blocking { () async throws(ClientError) in
            try await Producer.open(client, wanted)
        }
        var input = ProduceInput(invocation, producer, headers)
        let files = Array(invocation.arguments.dropFirst())
        if files.isEmpty { try input.read(STDIN_FILENO, name: "standard input") }
        for file in files {
            let descriptor = open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw CLIError("\(file): \(NetError.text(of: errno))")
            }
            defer { close(descriptor) }
            try input.read(descriptor, name: file)
        }
        try input.flush()
        input.end()
        _ = try blocking { () async throws(ClientError) in await producer.close() }
        invocation.report(
            "sent \(counted(input.count, "record")) to \(topic)",
            json: .object([("topic", .text(topic)), ("records", JSONValue(input.count))]))
        return .done
    }

    /// Finds out at once whether the cluster can be reached and has the topic; a broker that makes
    /// topics on demand makes it now.
    private static func checkTopic(_ name: String, _ invocation: Invocation) throws(CLIError) {
        let client = try invocation.connect()
        let found = try blocking { () async throws(ClientError) in
            var found = try await client.describeTopics([name], creating: true)
            // A topic that is being made on demand is unknown for a moment.
            for _ in 0..<10 {
                let code = ErrorCode(rawValue: found.first?.errorCode ?? 0)
                guard code.isRetriable else { break }
                try? await Task.sleep(for: .milliseconds(100))
                found = try await client.describeTopics([name], creating: true)
            }
            await client.close()
            return found
        }
        guard let topic = found.first else { return }
        let error = ErrorCode(rawValue: topic.errorCode)
        // One that is being made has no leaders yet: the producer waits for them.
        if error != .leaderNotAvailable { try check(topic.errorCode, "topic \(name)") }
        guard let partition = invocation.integer("partition"), !topic.partitions.isEmpty,
            partition >= topic.partitions.count
        else { return }
        throw .usage("topic \(name) has \(topic.partitions.count) partitions, from 0 on")
    }
}

/// Cuts bytes into records and sends them.
struct ProduceInput {
    private let invocation: Invocation
    private let producer: Producer
    private var gathered: [ProducerRecord] = []
    private let headers: [RecordHeader]
    private let delimiter: [UInt8]
    private let keyDelimiter: [UInt8]?
    private let limit: Int
    /// What the producer's buffer holds, less what stands around a record.
    private static let recordBytesMax = ProducerSettings().bufferBytes - 64 << 10
    private var progress = Progress("sent")
    private(set) var count = 0

    init(
        _ invocation: Invocation, _ producer: Producer, _ headers: [RecordHeader]
    ) {
        (self.invocation, self.producer) = (invocation, producer)
        self.headers = headers
        let text = (invocation.text("delimiter") ?? "\n").replacing("\\n", with: "\n")
            .replacing("\\0", with: "\0").replacing("\\t", with: "\t")
        delimiter = Array((text.isEmpty ? "\n" : text).utf8)
        keyDelimiter = invocation.text("key-delimiter").map {
            Array($0.replacing("\\t", with: "\t").utf8)
        }.flatMap { $0.isEmpty ? nil : $0 }
        limit = invocation.integer("count") ?? .max
    }

    /// Reads to the end, or to the limit.
    mutating func read(_ descriptor: Int32, name: String) throws(CLIError) {
        let isWhole = invocation.has("whole-files")
        var pending: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        while count < limit {
            if !isWhole, !hasInput(descriptor) {
                // Somebody types: what was typed is sent before we wait for more.
                try flush()
            }
            let got = Glibc.read(descriptor, &chunk, chunk.count)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw CLIError("\(name): \(NetError.text(of: errno))") }
            if got == 0 { break }
            pending += chunk[..<got]
            if !isWhole { try take(&pending, arrived: got) }
            guard pending.count <= Self.recordBytesMax else {
                throw CLIError(
                    isWhole
                        ? "\(name) is larger than \(Self.recordBytesMax) bytes, which is the most "
                            + "that is sent as one record"
                        : "\(name): no end of a record in \(Self.recordBytesMax) bytes: is "
                            + "--delimiter right?")
            }
        }
        if count < limit, isWhole || !pending.isEmpty { try send(pending[...]) }
    }

    private func hasInput(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    /// Sends the records that are whole.
    /// - Parameter arrived: how many of the bytes are new: before them there is no whole delimiter.
    private mutating func take(_ pending: inout [UInt8], arrived: Int) throws(CLIError) {
        var start = 0
        let last = delimiter.count - 1
        let fresh = pending.count - arrived
        while count < limit,
            let end = find(delimiter[last], in: pending, from: max(start + last, fresh))
        {
            guard pending[(end - last)...end].elementsEqual(delimiter) else {
                // A part of the delimiter inside of a record.
                guard let next = findWhole(in: pending, from: max(start, fresh - last)) else {
                    break
                }
                try send(pending[start..<next])
                start = next + delimiter.count
                continue
            }
            try send(pending[start..<(end - last)])
            start = end + 1
        }
        pending.removeFirst(start)
    }

    private func find(_ byte: UInt8, in bytes: [UInt8], from start: Int) -> Int? {
        guard start < bytes.count else { return nil }
        return bytes[start...].firstIndex(of: byte)
    }

    private func findWhole(in bytes: [UInt8], from start: Int) -> Int? {
        bytes[start...].firstRange(of: delimiter)?.lowerBound
    }

    private mutating func send(_ record: ArraySlice<UInt8>) throws(CLIError) {
        var key = invocation.text("message-key").map { Array($0.utf8) }
        guard record.count <= Self.recordBytesMax else {
            throw CLIError(
                "a record of \(record.count) bytes does not fit: at most "
                    + "\(Self.recordBytesMax) are sent as one")
        }
        var value: [UInt8]? = Array(record)
        if let keyDelimiter, let place = record.firstRange(of: keyDelimiter) {
            key = Array(record[..<place.lowerBound])
            value = Array(record[place.upperBound...])
        }
        if invocation.has("null") {
            if value?.isEmpty == true { value = nil }
            if key?.isEmpty == true { key = nil }
        }
        let partition = invocation.integer("partition").map { Int32(clamping: $0) }
        gathered.append(
            ProducerRecord(
                topic: invocation.argument(0) ?? "", partition: partition, key: key, value: value,
                headers: headers))
        if gathered.count >= 500 || (value?.count ?? 0) > 64 << 10 { try handOver() }
        count += 1
        progress.update(count)
    }

    private mutating func handOver() throws(CLIError) {
        let (records, producer) = (gathered, producer)
        gathered.removeAll(keepingCapacity: true)
        guard !records.isEmpty else { return }
        try blocking { () async throws(ClientError) in try await producer.enqueue(records) }
    }

    /// Sends all and waits until the cluster has it.
    mutating func flush() throws(CLIError) {
        try handOver()
        let producer = producer
        let summary = try blocking { () async throws(ClientError) in await producer.flush() }
        guard let error = summary.firstError else { return }
        let failure = CLIError(error)
        let what = counted(summary.failed, "record") + (summary.failed == 1 ? " was" : " were")
        throw CLIError("\(what) not taken: \(failure.message)", failure.exitCode)
    }

    func end() { progress.end() }
}
