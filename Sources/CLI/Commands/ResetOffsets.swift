internal import MillraceClient
internal import MillraceProtocol

/// `millrace group reset-offsets`.
enum ResetOffsets {
    static func run(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let name = invocation.argument(0) ?? ""
        let position = try OffsetPosition(invocation.text("to") ?? "")
        let client = try invocation.connect()
        let coordinator = try ask { () throws(RequestError) in
            try client.coordinator(ofGroup: name)
        }
        let committed = try GroupState.committed(client, coordinator, name)
        let wanted = try chosen(invocation, committed)
        let metadata = try ask { () throws(RequestError) in
            try client.metadata(topics: wanted.keys.sorted())
        }
        for topic in metadata.topics { try check(topic.errorCode, "topic \(topic.name ?? "")") }
        let targets = try position.resolve(client, metadata.topics, committed: committed)
            .filter { key, _ in
                let partitions = (wanted[key.topic] ?? nil) ?? []
                return partitions.isEmpty || partitions.contains(key.partition)
            }
        let isDry = invocation.has("dry-run")
        if !isDry {
            try invocation.confirm("Move \(targets.count) offsets of group \(name)?")
        }
        var errors: [ListOffsets.Partition: ErrorCode] = [:]
        if !isDry { errors = try commit(client, coordinator, name, targets) }
        show(invocation, targets, committed, errors)
        if let first = errors.sorted(by: { $0.key < $1.key }).first(where: { $0.value != .none }) {
            let hint =
                first.value == .unknownMemberId ? " (the group has members: stop them first)" : ""
            throw CLIError(
                refusal(
                    "group \(name), \(first.key.topic)-\(first.key.partition)", first.value, nil)
                    + hint, exitCode(of: first.value))
        }
        return .done
    }

    /// Topic → partitions; nil for all of them.
    private static func chosen(
        _ invocation: Invocation, _ committed: [ListOffsets.Partition: Int64]
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

    private static func commit(
        _ client: RequestClient, _ coordinator: RequestClient.Target, _ name: String,
        _ targets: [ListOffsets.Partition: Int64]
    ) throws(CLIError) -> [ListOffsets.Partition: ErrorCode] {
        try ask { () throws(RequestError) in
            try GroupOffsets.commit(
                client, to: coordinator, group: name, generation: -1, member: "", targets)
        }
    }

    private static func show(
        _ invocation: Invocation, _ targets: [ListOffsets.Partition: Int64],
        _ committed: [ListOffsets.Partition: Int64], _ errors: [ListOffsets.Partition: ErrorCode]
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
                        key.topic, "\(key.partition)", committed[key].map { "\($0)" } ?? "",
                        "\(offset)", errors[key].map { $0 == .none ? "" : "\($0)" } ?? "",
                    ]
                },
                json: .list(
                    rows.map { key, offset in
                        let error = errors[key] ?? .none
                        return .object([
                            ("topic", .text(key.topic)), ("partition", JSONValue(key.partition)),
                            ("from_offset", JSONValue(committed[key])),
                            ("to_offset", JSONValue(offset)),
                            ("error", error == .none ? .null : .text("\(error)")),
                        ])
                    })))
    }
}
