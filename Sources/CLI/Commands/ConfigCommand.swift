internal import MillraceBase
internal import MillraceClient
internal import MillraceClientCore
internal import MillraceProtocol

/// `millrace config`: settings of topics, brokers and groups.
enum ConfigCommand {
    private static let kinds = ["topic", "broker", "group"]
    private static let entity = [
        Argument("kind", choices: kinds, "topic, broker or group"),
        Argument("name", "Name or id; for brokers \"default\" is all of them"),
    ]

    static let all: [Command] = [
        Command(
            path: ["config", "describe"], summary: "Show settings",
            details: "Without --all only those that are not at their default.",
            arguments: entity, flags: [Flag("all", "Defaults too")], isClient: true, run: describe),
        Command(
            path: ["config", "set"], summary: "Set settings",
            details: "  millrace config set topic clicks retention.ms=86400000",
            arguments: entity + [
                Argument("setting", variadic: true, "KEY=VALUE")
            ], flags: [TopicCommand.dryRun], isClient: true, run: set),
        Command(
            path: ["config", "unset"], summary: "Put settings back to their default",
            arguments: entity + [Argument("key", variadic: true, "Names of settings")],
            flags: [TopicCommand.dryRun], isClient: true, run: unset),
    ]

    /// What the first two arguments name.
    private static func resource(_ invocation: Invocation) throws(CLIError) -> ConfigResource {
        let (kind, name) = (invocation.argument(0) ?? "", invocation.argument(1) ?? "")
        switch kind {
        case "topic": return .topic(name)
        case "group": return .group(name)
        case "broker":
            if name == "default" || name.isEmpty { return .broker(nil) }
            guard let id = Int32(name), id >= 0 else {
                throw .usage("\"\(name)\" is no id of a broker")
            }
            return .broker(NodeID(id))
        default:
            throw .usage(
                "\"\(kind)\" is none of \(kinds.joined(separator: ", "))"
                    + NearestName.hint(kind, in: kinds))
        }
    }

    /// A client, of a cluster that has the broker if it is one's settings.
    private static func connect(
        _ invocation: Invocation, _ resource: ConfigResource
    ) throws(CLIError) -> Admin {
        let client = try invocation.connect()
        guard case .broker(let id?) = resource else { return client }
        let cluster = try blocking("cluster") { () async throws(ClientError) in
            try await client.describeCluster()
        }
        guard cluster.brokers.contains(where: { $0.brokerId == id.rawValue }) else {
            throw CLIError("there is no broker \(id.rawValue): millrace cluster describe shows all")
        }
        return client
    }

    private static func describe(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let resource = try resource(invocation)
        let client = try connect(invocation, resource)
        let what = invocation.arguments.joined(separator: " ")
        let found = try blocking(what) { () async throws(ClientError) in
            try await client.describeConfigs(of: resource)
        }
        // 5: the default; DEFAULT_CONFIG in Kafka's words.
        let configs = found.filter { invocation.has("all") || $0.configSource != 5 }
            .sorted { $0.name < $1.name }
        invocation.show(
            Listing(
                columns: [
                    Column("SETTING"), Column("VALUE"), Column("SOURCE"),
                    Column("READ-ONLY", wide: true), Column("SENSITIVE", wide: true),
                ],
                rows: configs.map { config in
                    [
                        config.name, config.value ?? "", source(config.configSource),
                        config.readOnly ? "yes" : "no", config.isSensitive ? "yes" : "no",
                    ]
                },
                json: .list(
                    configs.map { config in
                        .object([
                            ("name", .text(config.name)), ("value", JSONValue(config.value)),
                            ("source", .text(source(config.configSource))),
                            ("read_only", .boolean(config.readOnly)),
                            ("sensitive", .boolean(config.isSensitive)),
                        ])
                    })))
        return .done
    }

    private static func source(_ code: Int8) -> String {
        switch code {
        case 1: "topic"
        case 2: "broker"
        case 3: "cluster"
        case 4: "file"
        case 5: "default"
        case 7: "client-metrics"
        case 8: "group"
        default: "unknown"
        }
    }

    private static func set(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        var changes: [(key: String, value: String?)] = []
        for text in invocation.arguments.dropFirst(2) {
            let (key, value) = try Invocation.pair(text, what: "setting")
            changes.append((key, value))
        }
        return try change(invocation, changes)
    }

    private static func unset(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        try change(invocation, invocation.arguments.dropFirst(2).map { ($0, nil) })
    }

    private static func change(
        _ invocation: Invocation, _ changes: [(key: String, value: String?)]
    ) throws(CLIError) -> ExitCode {
        let resource = try resource(invocation)
        let client = try connect(invocation, resource)
        let isDry = invocation.has("dry-run")
        var results = Results(invocation, done: isDry ? "would change" : "changed")
        let name = resource == .broker(nil) ? "" : invocation.argument(1)
        try results.add(
            invocation.arguments.prefix(2).joined(separator: " "),
            [
                ("kind", JSONValue(invocation.argument(0))), ("name", JSONValue(name)),
                ("settings", .list(changes.map { .text($0.key) })),
            ]
        ) { () async throws(ClientError) in
            try await client.alterConfigs(of: resource, changes, validateOnly: isDry)
        }
        return results.finish()
    }
}
