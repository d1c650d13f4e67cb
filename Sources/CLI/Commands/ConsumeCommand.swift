internal import MillraceBase
internal import MillraceClient
internal import MillraceProtocol

/// `millrace consume`: records to standard output.
enum ConsumeCommand {
    static let command = Command(
        path: ["consume"], summary: "Print records",
        details: """
            Follows the topics until it is interrupted, or to -e, -c or the end of @TIME:@TIME.
            With --group the group's offsets are where it begins and are committed.

              millrace consume clicks --offset earliest -e -f '%t-%p@%o %k %v\\n'
              millrace consume clicks --offset @2026-01-31T00:00:00Z:@2026-02-01T00:00:00Z
            """,
        arguments: [Argument("topic", variadic: true, "Names of topics")],
        flags: [
            Flag(
                "format", short: "f", .text("FORMAT"),
                "%t topic, %p partition, %o offset, %k key, %v value, %h headers, %T time in ms "
                    + "(default: '%v\\n')"),
            Flag(
                "offset", .text("POSITION"),
                "earliest, latest (default), an offset, -N before the end, @TIME or @TIME:@TIME"),
            Flag(
                "partition", short: "p", .integer(0...Int(Int32.max)), repeated: true,
                "Only this partition"),
            Flag("group", short: "G", .text("NAME"), "Be a member of this group"),
            Flag("exit", short: "e", "End at the end that the topics had at the start"),
            Flag("count", short: "c", .integer(1...Int.max), "End after so many records"),
        ], isClient: true, run: run)

    private static func run(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let format = try RecordFormat(invocation.text("format") ?? "%v\\n")
        let range = try OffsetRange(invocation.text("offset") ?? defaultOffset(invocation))
        if invocation.has("group"), !invocation.all("partition").isEmpty {
            throw .usage("--partition and --group exclude each other: the group assigns partitions")
        }
        let client = try invocation.connect()
        Interrupt.watch()
        let printer = RecordPrinter(invocation, format)
        let fetcher = RecordFetcher(client)
        fetcher.received = { printer.take($0) }
        let run = ConsumeRun(invocation, client, fetcher, printer, range)
        if let group = invocation.text("group") {
            try run.follow(group: group)
        } else {
            try run.followAll()
        }
        printer.finish()
        client.close()
        return Interrupt.isSet ? .interrupted : .done
    }

    /// To the end means all that there is, as a group without offsets has it.
    private static func defaultOffset(_ invocation: Invocation) -> String {
        invocation.has("exit") || invocation.has("group") ? "earliest" : "latest"
    }
}

/// `POSITION` or `@TIME:@TIME`.
struct OffsetRange {
    var start: OffsetPosition
    var end: OffsetPosition?

    init(_ text: String) throws(CLIError) {
        if text.hasPrefix("@"), let colon = text.firstRange(of: ":@") {
            start = try OffsetPosition(String(text[..<colon.lowerBound]))
            end = try OffsetPosition("@" + text[colon.upperBound...])
        } else {
            start = try OffsetPosition(text)
        }
    }
}

/// Prints records until there are enough.
final class RecordPrinter {
    private let format: RecordFormat
    private let isJSON: Bool
    private let limit: Int
    private var output: [UInt8] = []
    private var progress = Progress("read")
    private(set) var count = 0

    init(_ invocation: Invocation, _ format: RecordFormat) {
        self.format = format
        isJSON = invocation.output == .json
        limit = invocation.integer("count") ?? .max
    }

    var isFull: Bool { count >= limit }

    /// - Returns: whether more is wanted.
    func take(_ record: RecordFetcher.Record) -> Bool {
        count += 1
        if isJSON {
            output += (RecordFormat.json(record).text(indented: false) + "\n").utf8
        } else {
            format.write(record, into: &output)
        }
        if output.count > 64 << 10 { flush() }
        return !isFull && !Interrupt.isSet
    }

    func flush() {
        guard !output.isEmpty else { return }
        Terminal.write(output)
        output.removeAll(keepingCapacity: true)
        if !Terminal.outputIsTerminal { progress.update(count) }
    }

    func finish() {
        flush()
        progress.end()
    }
}

/// One run of `consume`.
struct ConsumeRun {
    private static let commitInterval: Duration = .seconds(5)
    private let invocation: Invocation
    private let client: RequestClient
    private let fetcher: RecordFetcher
    private let printer: RecordPrinter
    private let range: OffsetRange

    init(
        _ invocation: Invocation, _ client: RequestClient, _ fetcher: RecordFetcher,
        _ printer: RecordPrinter, _ range: OffsetRange
    ) {
        (self.invocation, self.client, self.fetcher) = (invocation, client, fetcher)
        (self.printer, self.range) = (printer, range)
    }

    private var topics: [String] { invocation.arguments }

    private func metadata() throws(CLIError) -> [MetadataResponse.Topic] {
        let found = try ask { () throws(RequestError) in try client.metadata(topics: topics) }
        for topic in found.topics { try check(topic.errorCode, "topic \(topic.name ?? "")") }
        return found.topics
    }

    /// Reads without a group.
    func followAll() throws(CLIError) {
        let metadata = try metadata()
        let starts = try range.start.resolve(client, metadata)
        var ends: [ListOffsets.Partition: Int64] = [:]
        if let end = range.end {
            ends = try end.resolve(client, metadata)
        } else if invocation.has("exit") {
            ends = try OffsetPosition.latest.resolve(client, metadata)
        }
        let only = invocation.all("partition").compactMap { Int32($0) }
        var assigned: [ListOffsets.Partition: (next: Int64, end: Int64?)] = [:]
        for (partition, start) in starts where only.isEmpty || only.contains(partition.partition) {
            assigned[partition] = (start, ends[partition])
        }
        guard !assigned.isEmpty else {
            throw .usage(
                "the topics have no partition \(only.map { "\($0)" }.joined(separator: ", "))")
        }
        let wanted = assigned
        try ask { () throws(RequestError) in try fetcher.assign(wanted) }
        while !printer.isFull, !Interrupt.isSet, !fetcher.isAtEnd { try turn() }
    }

    /// Works until records came, or for a moment.
    private func turn() throws(CLIError) {
        try ask { () throws(RequestError) in
            try fetcher.turn(until: client.now + .milliseconds(200))
        }
        printer.flush()
    }

    /// Reads as a member of a group.
    func follow(group: String) throws(CLIError) {
        let session = GroupSession(client, .init(group: group, topics: topics))
        var committed: [ListOffsets.Partition: Int64] = [:]
        var nextCommit = client.now
        var ends: [ListOffsets.Partition: Int64]?
        while !printer.isFull, !Interrupt.isSet {
            if session.mustJoin {
                committed = try join(session, &ends)
                nextCommit = client.now + Self.commitInterval
            }
            if invocation.has("exit"), fetcher.isAtEnd { break }
            try turn()
            if client.now >= nextCommit {
                try commit(session, &committed)
                nextCommit = client.now + Self.commitInterval
            }
            try ask { () throws(RequestError) in try session.tick() }
            if session.mustJoin { try commit(session, &committed) }
        }
        try commit(session, &committed)
        try ask { () throws(RequestError) in try session.leave() }
    }

    /// - Returns: where the group stands.
    private func join(
        _ session: GroupSession, _ ends: inout [ListOffsets.Partition: Int64]?
    ) throws(CLIError) -> [ListOffsets.Partition: Int64] {
        let assigned = try ask { () throws(RequestError) in try session.join() }
        let metadata = try metadata()
        let starts = try range.start.resolve(client, metadata)
        if invocation.has("exit"), ends == nil {
            ends = try OffsetPosition.latest.resolve(client, metadata)
        }
        var positions: [ListOffsets.Partition: (next: Int64, end: Int64?)] = [:]
        var committed: [ListOffsets.Partition: Int64] = [:]
        for (partition, offset) in assigned {
            if let offset { committed[partition] = offset }
            positions[partition] = (offset ?? starts[partition] ?? 0, ends?[partition])
        }
        let wanted = positions
        try ask { () throws(RequestError) in try fetcher.assign(wanted) }
        return committed
    }

    private func commit(
        _ session: GroupSession, _ committed: inout [ListOffsets.Partition: Int64]
    ) throws(CLIError) {
        let known = committed
        let changed = fetcher.next.filter { known[$0.key] != $0.value }
        guard !changed.isEmpty else { return }
        try ask { () throws(RequestError) in try session.commit(changed) }
        committed.merge(changed) { $1 }
    }
}
