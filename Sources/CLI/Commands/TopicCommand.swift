internal import MillraceClient
internal import MillraceClientCore
internal import MillraceProtocol

/// `millrace topic`: topics of a cluster.
enum TopicCommand {
    static let all: [Command] = [
        Command(
            path: ["topic", "create"], summary: "Create topics",
            details: "  millrace topic create clicks --partitions 6 --config retention.ms=86400000",
            arguments: [Argument("name", variadic: true, "Names of the topics")],
            flags: [
                Flag(
                    "partitions", short: "p", .integer(1...1_000_000),
                    "How many (default: as the broker says)"),
                Flag(
                    "replication-factor", short: "r", .integer(1...32767),
                    "How many replicas (default: as the broker says)"),
                Flag("config", .text("KEY=VALUE"), repeated: true, "A setting of the topics"),
                Flag("if-not-exists", "A topic that exists is no error"), dryRun,
            ], isClient: true, run: create),
        Command(
            path: ["topic", "list"], summary: "List topics",
            flags: [Flag("internal", "The cluster's own topics too")], isClient: true, run: list),
        Command(
            path: ["topic", "describe"], summary: "Show topics with their partitions",
            arguments: [Argument("name", variadic: true, "Names of the topics")], isClient: true,
            run: describe),
        Command(
            path: ["topic", "delete"], summary: "Delete topics with all their records",
            arguments: [Argument("name", variadic: true, "Names of the topics")],
            flags: [dryRun, yes], isClient: true, run: delete),
        Command(
            path: ["topic", "alter"], summary: "Give a topic more partitions",
            details: "Records with a key go to other partitions from then on.",
            arguments: [Argument("name", "Name of the topic")],
            flags: [
                Flag(
                    "partitions", short: "p", .integer(1...1_000_000), required: true,
                    "How many it has then"), dryRun,
            ], isClient: true, run: alter),
    ]

    static let dryRun = Flag("dry-run", "Show what would be done, and do nothing")
    static let yes = Flag("yes", short: "y", "Do not ask")

    private static func create(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let settings = try invocation.pairs("config")
        let client = try invocation.connect()
        let isDry = invocation.has("dry-run")
        let topics = invocation.arguments.map { name in
            NewTopic(
                name, partitions: Int32(clamping: invocation.integer("partitions") ?? -1),
                replicationFactor: Int16(clamping: invocation.integer("replication-factor") ?? -1),
                configs: settings.map { ($0.key, $0.value) })
        }
        let answers = try blocking { () async throws(ClientError) in
            try await client.createTopics(topics, validateOnly: isDry)
        }
        var results = Results(invocation, done: isDry ? "would create" : "created")
        for topic in answers {
            let error = ErrorCode(rawValue: topic.errorCode)
            let isThere = error == .topicAlreadyExists && invocation.has("if-not-exists")
            results.add(
                "topic \(topic.name)", isThere ? .none : error, topic.errorMessage,
                [
                    ("name", .text(topic.name)), ("id", .text("\(topic.topicId)")),
                    ("partitions", JSONValue(topic.numPartitions)),
                    ("replication_factor", JSONValue(topic.replicationFactor)),
                    ("existed", .boolean(isThere)),
                ])
        }
        return results.finish()
    }

    /// Makes a topic unless it is there.
    static func make(_ name: String, partitions: Int32, _ client: Admin) throws(CLIError) {
        try blocking("topic \(name)") { () async throws(ClientError) in
            do throws(ClientError) {
                try await client.createTopic(NewTopic(name, partitions: partitions))
            } catch .refused(.topicAlreadyExists, _) {}
        }
    }

    /// What there is of topics, all of which must be there.
    static func describe(
        _ names: [String], _ client: Admin
    ) throws(CLIError) -> [MetadataResponse.Topic] {
        let found = try blocking { () async throws(ClientError) in
            try await client.describeTopics(names)
        }
        for topic in found { try check(topic.errorCode, "topic \(topic.name ?? "")") }
        return found
    }

    private static func list(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let client = try invocation.connect()
        let found = try blocking { () async throws(ClientError) in try await client.listTopics() }
        let topics =
            found
            .filter { !$0.isInternal || invocation.has("internal") }
            .sorted { ($0.name ?? "") < ($1.name ?? "") }
        invocation.show(
            Listing(
                columns: [
                    Column("TOPIC"), Column("PARTITIONS", right: true),
                    Column("REPLICAS", right: true), Column("ID", wide: true),
                    Column("INTERNAL", wide: true),
                ],
                rows: topics.map { topic in
                    [
                        topic.name ?? "", "\(topic.partitions.count)",
                        "\(topic.partitions.first?.replicaNodes.count ?? 0)", "\(topic.topicId)",
                        topic.isInternal ? "yes" : "no",
                    ]
                },
                json: .list(
                    topics.map { topic in
                        .object([
                            ("name", JSONValue(topic.name)), ("id", .text("\(topic.topicId)")),
                            ("internal", .boolean(topic.isInternal)),
                            ("partitions", JSONValue(topic.partitions.count)),
                            (
                                "replication_factor",
                                JSONValue(topic.partitions.first?.replicaNodes.count ?? 0)
                            ),
                        ])
                    })))
        return .done
    }

    private static func describe(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let client = try invocation.connect()
        let found = try describe(invocation.arguments, client)
        let offsets = try PartitionOffsets.load(client, found.namedPartitions)
        var rows: [[String]] = []
        var documents: [JSONValue] = []
        for topic in found {
            var partitions: [JSONValue] = []
            for partition in topic.partitions.sorted(by: { $0.partitionIndex < $1.partitionIndex })
            {
                let range = offsets[NamedPartition(topic.name ?? "", partition.partitionIndex)]
                rows.append(row(topic, partition, range))
                partitions.append(json(partition, range))
            }
            documents.append(
                .object([
                    ("name", JSONValue(topic.name)), ("id", .text("\(topic.topicId)")),
                    ("internal", .boolean(topic.isInternal)), ("partitions", .list(partitions)),
                ]))
        }
        invocation.show(
            Listing(
                columns: [
                    Column("TOPIC"), Column("PARTITION", right: true),
                    Column("LEADER", right: true),
                    Column("REPLICAS"), Column("ISR"), Column("START", right: true),
                    Column("END", right: true), Column("EPOCH", wide: true, right: true),
                    Column("OFFLINE", wide: true), Column("ID", wide: true),
                ], rows: rows, json: .list(documents)))
        return .done
    }

    private static func row(
        _ topic: MetadataResponse.Topic, _ partition: MetadataResponse.Topic.Partition,
        _ range: PartitionOffsets.Range?
    ) -> [String] {
        func list(_ ids: [Int32]) -> String { ids.map { "\($0)" }.joined(separator: ",") }
        return [
            topic.name ?? "", "\(partition.partitionIndex)", "\(partition.leaderId)",
            list(partition.replicaNodes), list(partition.isrNodes),
            range.map { "\($0.start)" } ?? "",
            range.map { "\($0.end)" } ?? "", "\(partition.leaderEpoch)",
            list(partition.offlineReplicas), "\(topic.topicId)",
        ]
    }

    private static func json(
        _ partition: MetadataResponse.Topic.Partition, _ range: PartitionOffsets.Range?
    ) -> JSONValue {
        .object([
            ("partition", JSONValue(partition.partitionIndex)),
            ("leader", JSONValue(partition.leaderId)),
            ("leader_epoch", JSONValue(partition.leaderEpoch)),
            ("replicas", .list(partition.replicaNodes.map { JSONValue($0) })),
            ("isr", .list(partition.isrNodes.map { JSONValue($0) })),
            ("offline_replicas", .list(partition.offlineReplicas.map { JSONValue($0) })),
            ("start_offset", JSONValue(range?.start)), ("end_offset", JSONValue(range?.end)),
        ])
    }

    private static func delete(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let names = invocation.arguments
        let client = try invocation.connect()
        let isDry = invocation.has("dry-run")
        var results = Results(invocation, done: isDry ? "would delete" : "deleted")
        if isDry {
            let found = try blocking { () async throws(ClientError) in
                try await client.describeTopics(names)
            }
            for topic in found {
                results.add(
                    "topic \(topic.name ?? "")", ErrorCode(rawValue: topic.errorCode), nil,
                    [("name", JSONValue(topic.name))])
            }
            return results.finish()
        }
        let list = names.joined(separator: ", ")
        try invocation.confirm("Delete \(list) with all records?")
        let answers = try blocking { () async throws(ClientError) in
            try await client.deleteTopics(names)
        }
        for topic in answers {
            results.add(
                "topic \(topic.name ?? "")", ErrorCode(rawValue: topic.errorCode),
                topic.errorMessage, [("name", JSONValue(topic.name))])
        }
        return results.finish()
    }

    private static func alter(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let client = try invocation.connect()
        let isDry = invocation.has("dry-run")
        let name = invocation.argument(0) ?? ""
        let count = Int32(clamping: invocation.integer("partitions") ?? 0)
        var results = Results(invocation, done: isDry ? "would change" : "changed")
        try results.add(
            "topic \(name)", [("name", .text(name)), ("partitions", JSONValue(count))]
        ) { () async throws(ClientError) in
            try await client.createPartitions(name, count: count, validateOnly: isDry)
        }
        return results.finish()
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
