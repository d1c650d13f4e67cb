internal import MillraceClient
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
        var request = CreateTopicsRequest()
        request.timeoutMs = Int32(clamping: invocation.timeout.milliseconds)
        request.validateOnly = invocation.has("dry-run")
        for name in invocation.arguments {
            var topic = CreateTopicsRequest.Topic()
            topic.name = name
            topic.numPartitions = Int32(clamping: invocation.integer("partitions") ?? -1)
            topic.replicationFactor = Int16(
                clamping: invocation.integer("replication-factor") ?? -1)
            topic.configs = settings.map { pair in
                var config = CreateTopicsRequest.Topic.Config()
                (config.name, config.value) = (pair.key, pair.value)
                return config
            }
            request.topics.append(topic)
        }
        let answer = try ask { () throws(RequestError) in
            try client.ask(request, .createTopics, as: CreateTopicsResponse.self).body
        }
        var results = Results(invocation, done: request.validateOnly ? "would create" : "created")
        for topic in answer.topics {
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
    static func make(
        _ name: String, partitions: Int32, _ client: RequestClient
    ) throws(CLIError) {
        var request = CreateTopicsRequest()
        var topic = CreateTopicsRequest.Topic()
        (topic.name, topic.numPartitions, topic.replicationFactor) = (name, partitions, -1)
        request.topics = [topic]
        let made = request
        let answer = try ask { () throws(RequestError) in
            try client.ask(made, .createTopics, as: CreateTopicsResponse.self).body
        }
        guard let result = answer.topics.first,
            result.errorCode != ErrorCode.topicAlreadyExists.rawValue
        else { return }
        try check(result.errorCode, result.errorMessage, "topic \(name)")
    }

    private static func list(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let client = try invocation.connect()
        let found = try ask { () throws(RequestError) in try client.metadata(topics: nil) }
        let topics = found.topics
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
        let found = try ask { () throws(RequestError) in
            try client.metadata(topics: invocation.arguments)
        }
        for topic in found.topics { try check(topic.errorCode, "topic \(topic.name ?? "")") }
        let offsets = try PartitionOffsets.load(client, found.topics)
        var rows: [[String]] = []
        var documents: [JSONValue] = []
        for topic in found.topics {
            var partitions: [JSONValue] = []
            for partition in topic.partitions.sorted(by: { $0.partitionIndex < $1.partitionIndex })
            {
                let range = offsets[topic.name ?? "", partition.partitionIndex]
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
            let found = try ask { () throws(RequestError) in try client.metadata(topics: names) }
            for topic in found.topics {
                results.add(
                    "topic \(topic.name ?? "")", ErrorCode(rawValue: topic.errorCode), nil,
                    [("name", JSONValue(topic.name))])
            }
            return results.finish()
        }
        let list = names.joined(separator: ", ")
        try invocation.confirm("Delete \(list) with all records?")
        var request = DeleteTopicsRequest()
        request.timeoutMs = Int32(clamping: invocation.timeout.milliseconds)
        let version = try ask { () throws(RequestError) in
            try client.version(of: .deleteTopics, target: .any)
        }
        if version >= 6 {
            request.topics = names.map { name in
                var topic = DeleteTopicsRequest.Topic()
                topic.name = name
                return topic
            }
        } else {
            request.topicNames = names
        }
        let answer = try ask { () throws(RequestError) in
            try client.ask(request, .deleteTopics, as: DeleteTopicsResponse.self).body
        }
        for topic in answer.responses {
            results.add(
                "topic \(topic.name ?? "")", ErrorCode(rawValue: topic.errorCode),
                topic.errorMessage, [("name", JSONValue(topic.name))])
        }
        return results.finish()
    }

    private static func alter(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let client = try invocation.connect()
        var request = CreatePartitionsRequest()
        request.timeoutMs = Int32(clamping: invocation.timeout.milliseconds)
        request.validateOnly = invocation.has("dry-run")
        var topic = CreatePartitionsRequest.Topic()
        topic.name = invocation.argument(0) ?? ""
        topic.count = Int32(clamping: invocation.integer("partitions") ?? 0)
        topic.assignments = nil
        request.topics = [topic]
        let answer = try ask { () throws(RequestError) in
            try client.ask(request, .createPartitions, as: CreatePartitionsResponse.self).body
        }
        var results = Results(invocation, done: request.validateOnly ? "would change" : "changed")
        for result in answer.results {
            results.add(
                "topic \(result.name)", ErrorCode(rawValue: result.errorCode), result.errorMessage,
                [("name", .text(result.name)), ("partitions", JSONValue(topic.count))])
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
