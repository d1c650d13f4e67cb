internal import MillraceBase
internal import MillraceClient
internal import MillraceProtocol

/// `millrace group`: groups of consumers.
enum GroupCommand {
    static let all: [Command] = [
        Command(
            path: ["group", "list"], summary: "List groups", isClient: true, run: list),
        Command(
            path: ["group", "describe"], summary: "Show a group's offsets, lag and members",
            details: "Lag is max(0, end - max(committed, start)) in records.",
            arguments: [Argument("name", variadic: true, "Names of the groups")],
            flags: [Flag("members", "Members instead of offsets")], isClient: true, run: describe),
        Command(
            path: ["group", "reset-offsets"], summary: "Move a group's committed offsets",
            details: """
                The group must have no members.

                  millrace group reset-offsets billing --topic clicks --to earliest --dry-run
                """,
            arguments: [Argument("name", "Name of the group")],
            flags: [
                Flag(
                    "topic", short: "t", .text("NAME[:PARTITION,...]"), repeated: true,
                    "Which topics (default: those that the group has offsets of)"),
                Flag(
                    "to", .text("POSITION"), required: true,
                    "earliest, latest, current, an offset, +N, -N, or @TIME"),
                TopicCommand.dryRun, TopicCommand.yes,
            ], isClient: true, run: ResetOffsets.run),
        Command(
            path: ["group", "delete"], summary: "Delete groups with their offsets",
            arguments: [Argument("name", variadic: true, "Names of the groups")],
            flags: [TopicCommand.dryRun, TopicCommand.yes], isClient: true, run: delete),
    ]

    private static func list(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let client = try invocation.connect()
        let metadata = try ask { () throws(RequestError) in try client.metadata(topics: []) }
        var groups: [ListGroupsResponse.Group] = []
        for broker in metadata.brokers {
            let answer = try ask { () throws(RequestError) in
                try client.ask(
                    ListGroupsRequest(), .listGroups, as: ListGroupsResponse.self,
                    of: .node(broker.nodeId)
                ).body
            }
            try check(answer.errorCode, "groups of node \(broker.nodeId)")
            groups += answer.groups
        }
        groups.sort { $0.groupId < $1.groupId }
        invocation.show(
            Listing(
                columns: [
                    Column("GROUP"), Column("STATE"), Column("TYPE"),
                    Column("PROTOCOL", wide: true),
                ],
                rows: groups.map { [$0.groupId, $0.groupState, $0.groupType, $0.protocolType] },
                json: .list(
                    groups.map {
                        .object([
                            ("group", .text($0.groupId)), ("state", .text($0.groupState)),
                            ("type", .text($0.groupType)), ("protocol", .text($0.protocolType)),
                        ])
                    })))
        return .done
    }

    private static func describe(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let client = try invocation.connect()
        var rows: [[String]] = []
        var documents: [JSONValue] = []
        for name in invocation.arguments {
            let group = try GroupState.load(client, name)
            rows += invocation.has("members") ? group.memberRows : group.offsetRows
            documents.append(group.json)
        }
        let columns =
            invocation.has("members")
            ? [
                Column("GROUP"), Column("MEMBER"), Column("CLIENT"), Column("HOST"),
                Column("PARTITIONS", right: true), Column("INSTANCE", wide: true),
                Column("ASSIGNMENT", wide: true),
            ]
            : [
                Column("GROUP"), Column("STATE"), Column("TOPIC"), Column("PARTITION", right: true),
                Column("COMMITTED", right: true), Column("END", right: true),
                Column("LAG", right: true), Column("MEMBER", wide: true),
            ]
        invocation.show(Listing(columns: columns, rows: rows, json: .list(documents)))
        return .done
    }

    private static func delete(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let names = invocation.arguments
        let client = try invocation.connect()
        let isDry = invocation.has("dry-run")
        if !isDry { try invocation.confirm("Delete \(names.joined(separator: ", "))?") }
        var results = Results(invocation, done: isDry ? "would delete" : "deleted")
        for name in names {
            var code: Int16 = 0
            if isDry {
                let group = try GroupState.load(client, name)
                if !group.members.isEmpty { code = ErrorCode.nonEmptyGroup.rawValue }
            } else {
                var request = DeleteGroupsRequest()
                request.groupsNames = [name]
                let answer = try ask { () throws(RequestError) in
                    try client.ask(
                        request, .deleteGroups, as: DeleteGroupsResponse.self,
                        of: try client.coordinator(ofGroup: name)
                    ).body
                }
                code = answer.results.first?.errorCode ?? -1
            }
            results.add(
                "group \(name)", ErrorCode(rawValue: code), nil, [("group", .text(name))])
        }
        return results.finish()
    }
}

/// A group as it is: its members, what it has committed, and how far it lags.
struct GroupState {
    struct Member {
        var id: String
        var instance: String?
        var client: String
        var host: String
        var partitions: [ListOffsets.Partition]
    }

    struct Position {
        var partition: ListOffsets.Partition
        /// nil: nothing committed.
        var committed: Int64?
        var start: Int64?
        var end: Int64?

        /// Records between what was committed, or is still there, and the end.
        var lag: Int64? {
            guard let end, committed != nil else { return nil }
            return max(0, end - max(committed ?? 0, start ?? 0))
        }
    }

    var name: String
    var state: String
    var protocolName: String
    var members: [Member] = []
    var positions: [Position] = []

    /// - Throws: if there is no such group.
    static func load(_ client: RequestClient, _ name: String) throws(CLIError) -> GroupState {
        var request = DescribeGroupsRequest()
        request.groups = [name]
        let coordinator = try ask { () throws(RequestError) in
            try client.coordinator(ofGroup: name)
        }
        let answer = try ask { () throws(RequestError) in
            try client.ask(
                request, .describeGroups, as: DescribeGroupsResponse.self, of: coordinator
            )
            .body
        }
        guard let found = answer.groups.first else { throw CLIError("group \(name): no answer") }
        if found.errorCode != ErrorCode.groupIdNotFound.rawValue {
            try check(found.errorCode, found.errorMessage, "group \(name)")
        }
        var group = GroupState(
            name: name, state: found.groupState, protocolName: found.protocolData)
        group.members = found.members.map { member in
            Member(
                id: member.memberId, instance: member.groupInstanceId, client: member.clientId,
                host: member.clientHost, partitions: assignment(member.memberAssignment))
        }.sorted { $0.id < $1.id }
        let committed = try committed(client, coordinator, name)
        guard !committed.isEmpty || found.groupState != "Dead" else {
            throw CLIError("there is no group \(name): millrace group list shows all")
        }
        try group.fill(client, committed)
        return group
    }

    /// The committed offsets of a group.
    static func committed(
        _ client: RequestClient, _ coordinator: RequestClient.Target, _ name: String
    ) throws(CLIError) -> [ListOffsets.Partition: Int64] {
        var request = OffsetFetchRequest()
        let version = try ask { () throws(RequestError) in
            try client.version(of: .offsetFetch, target: coordinator, versionMax: 9)
        }
        if version >= 8 {
            var group = OffsetFetchRequest.Group()
            (group.groupId, group.topics) = (name, nil)
            request.groups = [group]
        } else {
            (request.groupId, request.topics) = (name, nil)
        }
        let answer = try ask { () throws(RequestError) in
            try client.ask(
                request, .offsetFetch, as: OffsetFetchResponse.self, of: coordinator, versionMax: 9
            ).body
        }
        var found: [ListOffsets.Partition: Int64] = [:]
        for group in answer.groups {
            try check(group.errorCode, "group \(name)")
            for topic in group.topics {
                for partition in topic.partitions where partition.committedOffset >= 0 {
                    found[.init(topic.name, partition.partitionIndex)] = partition.committedOffset
                }
            }
        }
        if version < 8 { try check(answer.errorCode, "group \(name)") }
        for topic in answer.topics {
            for partition in topic.partitions where partition.committedOffset >= 0 {
                found[.init(topic.name, partition.partitionIndex)] = partition.committedOffset
            }
        }
        return found
    }

    private static func assignment(_ bytes: [UInt8]) -> [ListOffsets.Partition] {
        guard let found = GroupAssignment.decode(bytes) else { return [] }
        return found
    }

    private mutating func fill(
        _ client: RequestClient, _ committed: [ListOffsets.Partition: Int64]
    ) throws(CLIError) {
        let all = Set(committed.keys).union(members.flatMap(\.partitions)).sorted()
        let topics = Set(all.map(\.topic)).sorted()
        guard !topics.isEmpty else { return }
        let metadata = try ask { () throws(RequestError) in try client.metadata(topics: topics) }
        let offsets = try PartitionOffsets.load(client, metadata.topics)
        positions = all.map { partition in
            let range = offsets[partition.topic, partition.partition]
            return Position(
                partition: partition, committed: committed[partition], start: range?.start,
                end: range?.end)
        }
    }

    private func owner(of partition: ListOffsets.Partition) -> Member? {
        members.first { $0.partitions.contains(partition) }
    }

    var offsetRows: [[String]] {
        if positions.isEmpty { return [[name, state, "", "", "", "", "", ""]] }
        return positions.map { position in
            [
                name, state, position.partition.topic, "\(position.partition.partition)",
                position.committed.map { "\($0)" } ?? "", position.end.map { "\($0)" } ?? "",
                position.lag.map { "\($0)" } ?? "", owner(of: position.partition)?.id ?? "",
            ]
        }
    }

    var memberRows: [[String]] {
        members.map { member in
            [
                name, member.id, member.client, member.host, "\(member.partitions.count)",
                member.instance ?? "",
                member.partitions.map { "\($0.topic)-\($0.partition)" }.joined(separator: ","),
            ]
        }
    }

    var json: JSONValue {
        .object([
            ("group", .text(name)), ("state", .text(state)), ("assignor", .text(protocolName)),
            (
                "partitions",
                .list(
                    positions.map { position in
                        .object([
                            ("topic", .text(position.partition.topic)),
                            ("partition", JSONValue(position.partition.partition)),
                            ("committed_offset", JSONValue(position.committed)),
                            ("start_offset", JSONValue(position.start)),
                            ("end_offset", JSONValue(position.end)),
                            ("lag", JSONValue(position.lag)),
                            ("member", JSONValue(owner(of: position.partition)?.id)),
                        ])
                    })
            ),
            (
                "members",
                .list(
                    members.map { member in
                        .object([
                            ("id", .text(member.id)), ("instance_id", JSONValue(member.instance)),
                            ("client_id", .text(member.client)), ("host", .text(member.host)),
                            (
                                "assignment",
                                .list(
                                    member.partitions.map {
                                        .object([
                                            ("topic", .text($0.topic)),
                                            ("partition", JSONValue($0.partition)),
                                        ])
                                    })
                            ),
                        ])
                    })
            ),
        ])
    }
}
