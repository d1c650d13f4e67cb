internal import MillraceBase
internal import MillraceClient
internal import MillraceClientCore
internal import MillraceProtocol

/// `millrace consume`: records to standard output.
enum ConsumeCommand {
    static let command = Command(
        path: ["consume"], summary: "Print records",
        details: """
            Follows the topics until it is interrupted, or to -e, -c or the end of @TIME:@TIME.
            With --group the group's offsets are where it begins and are committed: every five
            seconds, at the end, and before a rebalance takes partitions away. With -e a member
            that gets no partition ends at once. With -e or @TIME:@TIME it fails once nothing has
            come for --timeout that should have.

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
                "earliest, latest, an offset, -N before the end, @TIME or @TIME:@TIME (default: "
                    + "latest; with -e or -G earliest); with -G, where nothing is committed: "
                    + "earliest, latest or @TIME"),
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
        try range.check(inGroup: invocation.has("group"))
        let client = try invocation.connect()
        let printer = RecordPrinter(invocation, format)
        let run = ConsumeRun(invocation, client, printer, range)
        if let group = invocation.text("group") {
            try run.follow(group: group)
        } else {
            try run.followAll()
        }
        printer.finish()
        try blocking { () async throws(ClientError) in await client.close() }
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

    /// Refuses what has no meaning with a group, or without one.
    func check(inGroup: Bool) throws(CLIError) {
        switch start {
        case .current, .shift:
            throw .usage(
                "--offset: current and +N speak of a group's offsets: --group goes on from them, "
                    + "millrace group reset-offsets moves them")
        case .offset, .beforeEnd:
            guard inGroup else { return }
            throw .usage(
                "--offset: with --group it is where a partition without a committed offset begins: "
                    + "earliest, latest or @TIME; millrace group reset-offsets moves the others")
        case .earliest, .latest, .time:
            guard inGroup, end != nil else { return }
            throw .usage("--offset: @TIME:@TIME and --group exclude each other")
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
    /// How many more are wanted.
    var remaining: Int { limit - count }

    /// - Returns: whether more is wanted.
    func take(_ record: ConsumerRecord) -> Bool {
        count += 1
        if isJSON {
            output += (RecordFormat.json(record).text(indented: false) + "\n").utf8
        } else {
            format.write(record, into: &output)
        }
        if output.count > 64 << 10 { flush() }
        return !isFull
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

/// Tells of brokers that do not answer, and when nothing comes that should.
private struct ReadingWatch {
    /// A broker that is away for less is nobody's concern.
    private static let patience: Duration = .seconds(3)
    private var lastProgress = ContinuousClock.now
    private var told: ClientError?

    /// - Parameter limit: how long nothing may come; nil: for ever.
    mutating func look(
        _ consumer: Consumer, hasProgress: Bool, limit: Duration?
    ) throws(CLIError) {
        if hasProgress { lastProgress = .now }
        let trouble = consumer.trouble
        if let limit, ContinuousClock.now - lastProgress > limit {
            let cause = trouble.map { ": \($0.error)" } ?? ""
            throw CLIError("nothing came for \(limit.seconds) s\(cause)", .unreachable)
        }
        if let trouble, told == nil, ContinuousClock.now - trouble.since > Self.patience {
            told = trouble.error
            Terminal.note("waiting: \(trouble.error)")
        } else if trouble == nil, told != nil {
            told = nil
            Terminal.note("reading goes on")
        }
    }
}

extension ClientError {
    /// Whether the group has gone on without the member, or is about to.
    fileprivate var isOfGeneration: Bool {
        guard case .refused(let code, _) = self else { return false }
        return [.rebalanceInProgress, .illegalGeneration, .unknownMemberId].contains(code)
    }
}

extension Duration {
    /// As a number for people.
    fileprivate var seconds: String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000)" : "\(Double(milliseconds) / 1000)"
    }
}

/// One run of `consume`.
struct ConsumeRun {
    private static let commitInterval: Duration = .seconds(5)
    private static let pollMax = 2000
    private let invocation: Invocation
    private let client: Admin
    private let printer: RecordPrinter
    private let range: OffsetRange

    init(
        _ invocation: Invocation, _ client: Admin, _ printer: RecordPrinter,
        _ range: OffsetRange
    ) {
        (self.invocation, self.client, self.printer) = (invocation, client, printer)
        self.range = range
    }

    private var topics: [String] { invocation.arguments }

    private func partitions() throws(CLIError) -> [NamedPartition] {
        try TopicCommand.describe(topics, client).namedPartitions
    }

    private func open(group: GroupSettings?) throws(CLIError) -> Consumer {
        let settings = try invocation.clientSettings()
        var reading = ConsumerSettings()
        reading.reset =
            switch range.start {
            case .latest: .latest
            case .time(let time): .time(Timestamp(time))
            default: .earliest
            }
        let wanted = reading
        return try blocking { () async throws(ClientError) in
            try await Consumer.open(settings, wanted, group: group)
        }
    }

    /// Where reading stops; empty: nowhere.
    private func ends(
        _ partitions: [NamedPartition]
    ) throws(CLIError) -> [NamedPartition: Int64] {
        let end = range.end ?? (invocation.has("exit") ? .latest : nil)
        guard let end else { return [:] }
        return try end.resolve(client, partitions)
    }

    /// Prints what comes within a moment, as far as it lies before the ends: all of it, since what
    /// was polled is committed.
    /// - Returns: whether something came.
    private func turn(
        _ consumer: Consumer, _ ends: [NamedPartition: Int64]
    ) throws(CLIError) -> Bool {
        let limit = min(Self.pollMax, printer.remaining)
        let records = try blocking { () async throws(ClientError) in
            try await consumer.poll(max: limit, timeout: .milliseconds(200))
        }
        for record in records where record.offset.rawValue < ends[record.partition] ?? .max {
            guard printer.take(record) else { break }
        }
        printer.flush()
        return !records.isEmpty
    }

    /// How long nothing may come while there is something to come.
    private func patience(hasEnd: Bool) -> Duration? { hasEnd ? invocation.timeout : nil }

    /// Reads without a group.
    func followAll() throws(CLIError) {
        let partitions = try partitions()
        let starts = try range.start.resolve(client, partitions)
        let ends = try ends(partitions)
        let only = invocation.all("partition").compactMap { Int32($0) }
        var assigned: [NamedPartition: StartPosition] = [:]
        var first: [NamedPartition: Int64] = [:]
        for (partition, start) in starts where only.isEmpty || only.contains(partition.index) {
            first[partition] = start
            if start < ends[partition] ?? .max { assigned[partition] = .offset(Offset(start)) }
        }
        guard !first.isEmpty else {
            throw .usage(
                "the topics have no partition \(only.map { "\($0)" }.joined(separator: ", "))")
        }
        guard !assigned.isEmpty else { return }
        let consumer = try open(group: nil)
        let wanted = assigned
        try blocking { () async throws(ClientError) in try await consumer.assign(wanted) }
        Interrupt.watch()
        var watch = ReadingWatch()
        while !printer.isFull, !Interrupt.isSet {
            let hasProgress = try turn(consumer, ends)
            try watch.look(
                consumer, hasProgress: hasProgress, limit: patience(hasEnd: !ends.isEmpty))
            let positions = consumer.positions
            let isAtEnd = wanted.keys.allSatisfy { partition in
                let next = positions[partition]?.rawValue ?? first[partition] ?? 0
                return next >= ends[partition] ?? .max
            }
            if isAtEnd { break }
        }
        try blocking { () async throws(ClientError) in await consumer.close() }
    }

    /// Reads as a member of a group.
    func follow(group: String) throws(CLIError) {
        _ = try partitions()
        var membership = GroupSettings(groupID: group)
        membership.commitsOnRevoke = true
        let consumer = try open(group: membership)
        let topics = topics
        try blocking { () async throws(ClientError) in try await consumer.subscribe(topics) }
        var nextCommit = ContinuousClock.now + Self.commitInterval
        Interrupt.watch()
        var watch = ReadingWatch()
        while !printer.isFull, !Interrupt.isSet {
            let hasProgress = try turn(consumer, [:])
            // A rebalance takes what time it takes.
            try watch.look(
                consumer, hasProgress: hasProgress || !consumer.isMember,
                limit: patience(hasEnd: invocation.has("exit")))
            if invocation.has("exit"), consumer.isAtEnd { break }
            if invocation.has("exit"), consumer.isMember, consumer.assignment.isEmpty {
                Terminal.note("group \(group) has no partition for this member: others read them")
                break
            }
            guard ContinuousClock.now >= nextCommit else { continue }
            try commit(consumer, isLast: false)
            nextCommit = ContinuousClock.now + Self.commitInterval
        }
        try commit(consumer, isLast: true)
        try blocking { () async throws(ClientError) in await consumer.close() }
    }

    /// What a rebalance has taken away meanwhile is its next owner's; and what a coordinator that
    /// is away does not take is taken with the next commit. The last one waits for it.
    private func commit(_ consumer: Consumer, isLast: Bool) throws(CLIError) {
        let end = ContinuousClock.now + (isLast ? min(invocation.timeout, .seconds(10)) : .zero)
        try blocking { () async throws(ClientError) in
            while true {
                do throws(ClientError) {
                    return try await consumer.commit()
                } catch {
                    guard error.isRetriable || error.isOfGeneration else { throw error }
                    guard isLast else { return }
                    guard ContinuousClock.now < end else {
                        if error.isOfGeneration { return }
                        throw error
                    }
                }
                try? await Task.sleep(for: .milliseconds(100))  // nobody cancels it
            }
        }
    }
}
