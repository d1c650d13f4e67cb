internal import MillraceBase
internal import MillraceClient
internal import MillraceClientCore
internal import MillraceProtocol

/// `millrace group reset-offsets`.
enum ResetOffsets {
    static func run(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let name = invocation.argument(0) ?? ""
        let position = try OffsetPosition(invocation.text("to") ?? "")
        let client = try invocation.connect()
        let committed = try GroupState.committed(client, name)
        let wanted = try chosen(invocation, committed)
        let topics = try TopicCommand.describe(wanted.keys.sorted(), client)
        let there = Set(topics.namedPartitions)
        for (topic, partitions) in wanted.sorted(by: { $0.key < $1.key }) {
            let partitions = (partitions ?? []).map { NamedPartition(topic, $0) }
            guard let absent = partitions.first(where: { !there.contains($0) }) else { continue }
            try check(ErrorCode.unknownTopicOrPartition.rawValue, "partition \(absent)")
        }
        let targets = try position.resolve(client, topics.namedPartitions, committed: committed)
            .filter { key, _ in
                let partitions = (wanted[key.topic] ?? nil) ?? []
                return partitions.isEmpty || partitions.contains(key.index)
            }
        let isDry = invocation.has("dry-run")
        if !isDry {
            try invocation.confirm("Move \(counted(targets.count, "offset")) of group \(name)?")
        }
        var errors: [NamedPartition: ErrorCode] = [:]
        if !isDry {
            errors = try blocking("group \(name)") { () async throws(ClientError) in
                try await client.resetOffsets(
                    of: name, to: targets.mapValues { CommittedOffset(offset: Offset($0)) })
            }
        }
        show(invocation, targets, committed, errors)
        if let first = errors.sorted(by: { $0.key < $1.key }).first(where: { $0.value != .none }) {
            let hint =
                first.value == .unknownMemberId ? " (the group has members: stop them first)" : ""
            throw CLIError(
                refusal(
                    "group \(name), \(first.key)", first.value, nil)
                    + hint, exitCode(of: first.value))
        }
        return .done
    }

    /// Topic → partitions; nil for all of them.
    private static func chosen(
        _ invocation: Invocation, _ committed: [NamedPartition: Int64]
    ) throws(CLIError) -> [String: [Int32]?] {
        var wanted: [String: [Int32]?] = [:]
        for text in invocation.all("topic") {
            let parts = text.split(separator: ":", maxSplits: 1)
            guard let topic = parts.first else { throw .usage("--topic \"\(text)\" is no topic") }
            guard parts.count == 2 else {
                wanted[String(topic)] = .some(nil)
                continue
            }
            let partitions = parts[1].split(separator: ",").map { Int32($0) }
            guard !partitions.contains(nil) else {
                throw .usage("--topic \(text) is not NAME:PARTITION,...")
            }
            wanted[String(topic)] = partitions.compactMap { $0 }
        }
        guard wanted.isEmpty else { return wanted }
        for partition in committed.keys { wanted[partition.topic] = .some(nil) }
        guard !wanted.isEmpty else {
            throw .usage("the group has no offsets: say --topic NAME")
        }
        return wanted
    }

    private static func show(
        _ invocation: Invocation, _ targets: [NamedPartition: Int64],
        _ committed: [NamedPartition: Int64], _ errors: [NamedPartition: ErrorCode]
    ) {
        let rows = targets.sorted { $0.key < $1.key }
        invocation.show(
            Listing(
                columns: [
                    Column("TOPIC"), Column("PARTITION", right: true), Column("FROM", right: true),
                    Column("TO", right: true), Column("ERROR", wide: true),
                ],
                rows: rows.map { key, offset in
                    [
                        key.topic, "\(key.index)", committed[key].map { "\($0)" } ?? "",
                        "\(offset)", errors[key].map { $0 == .none ? "" : "\($0)" } ?? "",
                    ]
                },
                json: .list(
                    rows.map { key, offset in
                        let error = errors[key] ?? .none
                        return .object([
                            ("topic", .text(key.topic)), ("partition", JSONValue(key.index)),
                            ("from_offset", JSONValue(committed[key])),
                            ("to_offset", JSONValue(offset)),
                            ("error", error == .none ? .null : .text("\(error)")),
                        ])
                    })))
    }
}
