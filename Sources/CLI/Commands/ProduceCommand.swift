internal import Glibc
internal import MillraceBase
internal import MillraceClient
internal import MillraceNet
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
        let client = try invocation.connect()
        let topic = invocation.argument(0) ?? ""
        var settings = RecordSender.Settings(topic: topic)
        settings.codec = invocation.text("compression").flatMap(CompressionCodec.init) ?? .none
        settings.deliveryTimeout = invocation.timeout
        switch invocation.text("acks") {
        case "0": settings.acks = 0
        case "1": (settings.acks, settings.isIdempotent) = (1, false)
        default: break
        }
        let headers = try invocation.pairs("header").map {
            RecordHeader(key: $0.key, value: Array($0.value.utf8))
        }
        let sender = try ask { () throws(RequestError) in try RecordSender(client, settings) }
        var input = ProduceInput(invocation, sender, client, headers)
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
        try ask { () throws(RequestError) in try sender.flush() }
        input.end()
        client.close()
        invocation.report(
            "sent \(input.count) records to \(topic)",
            json: .object([("topic", .text(topic)), ("records", JSONValue(input.count))]))
        return .done
    }
}

/// Cuts bytes into records and sends them.
struct ProduceInput {
    private let invocation: Invocation
    private let sender: RecordSender
    private let client: RequestClient
    private let headers: [RecordHeader]
    private let delimiter: [UInt8]
    private let keyDelimiter: [UInt8]?
    private let limit: Int
    private var progress = Progress("sent")
    private(set) var count = 0

    init(
        _ invocation: Invocation, _ sender: RecordSender, _ client: RequestClient,
        _ headers: [RecordHeader]
    ) {
        (self.invocation, self.sender, self.client) = (invocation, sender, client)
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
                try ask { () throws(RequestError) in try sender.flush() }
            }
            let got = Glibc.read(descriptor, &chunk, chunk.count)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw CLIError("\(name): \(NetError.text(of: errno))") }
            if got == 0 { break }
            pending += chunk[..<got]
            if isWhole {
                guard pending.count < 1 << 30 else {
                    throw CLIError("\(name) is larger than 1 GiB")
                }
            } else {
                try take(&pending)
            }
        }
        if count < limit, isWhole || !pending.isEmpty { try send(pending[...]) }
    }

    private func hasInput(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    /// Sends the records that are whole.
    private mutating func take(_ pending: inout [UInt8]) throws(CLIError) {
        var start = 0
        let last = delimiter.count - 1
        while count < limit, let end = find(delimiter[last], in: pending, from: start + last) {
            guard pending[(end - last)...end].elementsEqual(delimiter) else {
                // A part of the delimiter inside of a record.
                guard let next = findWhole(in: pending, from: start) else { break }
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
        var value: [UInt8]? = Array(record)
        if let keyDelimiter, let place = record.firstRange(of: keyDelimiter) {
            key = Array(record[..<place.lowerBound])
            value = Array(record[place.upperBound...])
        }
        if invocation.has("null") {
            if value?.isEmpty == true { value = nil }
            if key?.isEmpty == true { key = nil }
        }
        let (sentKey, sentValue) = (key, value)
        let partition = invocation.integer("partition").map { Int32(clamping: $0) }
        try ask { () throws(RequestError) in
            try sender.send(
                key: sentKey, value: sentValue, headers: headers,
                timestamp: client.moment.timestamp, partition: partition)
        }
        count += 1
        progress.update(count)
    }

    func end() { progress.end() }
}
