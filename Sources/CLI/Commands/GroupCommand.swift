internal import MillraceBase
internal import MillraceClient
internal import MillraceClientCore
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
        let groups = try blocking { () async throws(ClientError) in try await client.listGroups() }
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
            let members = [("group", JSONValue.text(name))]
            guard !isDry else {
                let isUsed = try !GroupState.load(client, name).members.isEmpty
                results.add("group \(name)", isUsed ? .nonEmptyGroup : .none, nil, members)
                continue
            }
            try results.add("group \(name)", members) { () async throws(ClientError) in
                try await client.deleteGroup(name)
            }
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
        var partitions: [NamedPartition]
    }

    struct Position {
        var partition: NamedPartition
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
    static func load(_ client: Admin, _ name: String) throws(CLIError) -> GroupState {
        let found = try blocking("group \(name)") { () async throws(ClientError) in
            try await client.describeGroup(name)
        }
        var group = GroupState(
            name: name, state: found?.groupState ?? "Dead", protocolName: found?.protocolData ?? "")
        group.members = (found?.members ?? []).map { member in
            Member(
                id: member.memberId, instance: member.groupInstanceId, client: member.clientId,
                host: member.clientHost, partitions: Admin.assignment(of: member))
        }.sorted { $0.id < $1.id }
        let committed = try committed(client, name)
        guard !committed.isEmpty || found != nil else {
            throw CLIError("there is no group \(name): millrace group list shows all")
        }
        try group.fill(client, committed)
        return group
    }

    /// The committed offsets of a group.
    static func committed(
        _ client: Admin, _ name: String
    ) throws(CLIError) -> [NamedPartition: Int64] {
        let found = try blocking("group \(name)") { () async throws(ClientError) in
            try await client.committedOffsets(of: name)
        }
        return found.mapValues { $0.offset.rawValue }
    }

    private mutating func fill(
        _ client: Admin, _ committed: [NamedPartition: Int64]
    ) throws(CLIError) {
        let all = Set(committed.keys).union(members.flatMap(\.partitions)).sorted()
        let offsets = try PartitionOffsets.load(client, all)
        positions = all.map { partition in
            let range = offsets[partition]
            return Position(
                partition: partition, committed: committed[partition], start: range?.start,
                end: range?.end)
        }
    }

    private func owner(of partition: NamedPartition) -> Member? {
        members.first { $0.partitions.contains(partition) }
    }

    var offsetRows: [[String]] {
        if positions.isEmpty { return [[name, state, "", "", "", "", "", ""]] }
        return positions.map { position in
            [
                name, state, position.partition.topic, "\(position.partition.index)",
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
                member.partitions.map(\.description).joined(separator: ","),
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
                            ("partition", JSONValue(position.partition.index)),
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
                                            ("partition", JSONValue($0.index)),
                                        ])
                                    })
                            ),
                        ])
                    })
            ),
        ])
    }
}
