internal import MillraceClient
internal import MillraceProtocol

/// `millrace config`: settings of topics, brokers and groups.
enum ConfigCommand {
    private static let kinds: [(name: String, code: Int8)] = [
        ("topic", 2), ("broker", 4), ("group", 32),
    ]
    private static let entity = [
        Argument("kind", choices: kinds.map(\.name), "topic, broker or group"),
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

    private static func kind(_ invocation: Invocation) throws(CLIError) -> Int8 {
        let name = invocation.argument(0) ?? ""
        guard let found = kinds.first(where: { $0.name == name }) else {
            throw .usage(
                "settings of \"\(name)\"" + NearestName.hint(name, in: kinds.map(\.name))
                    + " (there are topic, broker, group)")
        }
        return found.code
    }

    /// A broker's own settings are asked of the broker itself.
    private static func name(_ invocation: Invocation, _ kind: Int8) -> String {
        let name = invocation.argument(1) ?? ""
        return kind == 4 && name == "default" ? "" : name
    }

    private static func target(_ kind: Int8, _ name: String) throws(CLIError)
        -> RequestClient.Target
    {
        guard kind == 4, !name.isEmpty else { return .any }
        guard let id = Int32(name) else { throw .usage("\"\(name)\" is no id of a broker") }
        return .node(id)
    }

    private static func describe(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let kind = try kind(invocation)
        let client = try invocation.connect()
        var request = DescribeConfigsRequest()
        var resource = DescribeConfigsRequest.Resource()
        (resource.resourceType, resource.resourceName) = (kind, name(invocation, kind))
        resource.configurationKeys = nil
        request.resources = [resource]
        let target = try target(kind, resource.resourceName)
        let answer = try ask { () throws(RequestError) in
            try client.ask(request, .describeConfigs, as: DescribeConfigsResponse.self, of: target)
                .body
        }
        guard let result = answer.results.first else { throw CLIError("the answer is empty") }
        try check(
            result.errorCode, result.errorMessage, invocation.arguments.joined(separator: " "))
        // 5: the default; DEFAULT_CONFIG in Kafka's words.
        let configs = result.configs.filter { invocation.has("all") || $0.configSource != 5 }
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
        let kind = try kind(invocation)
        let client = try invocation.connect()
        var request = IncrementalAlterConfigsRequest()
        request.validateOnly = invocation.has("dry-run")
        var resource = IncrementalAlterConfigsRequest.Resource()
        (resource.resourceType, resource.resourceName) = (kind, name(invocation, kind))
        resource.configs = changes.map { key, value in
            var config = IncrementalAlterConfigsRequest.Resource.Config()
            config.name = key
            config.value = value
            config.configOperation = value == nil ? 1 : 0
            return config
        }
        request.resources = [resource]
        let target = try target(kind, resource.resourceName)
        let answer = try ask { () throws(RequestError) in
            try client.ask(
                request, .incrementalAlterConfigs, as: IncrementalAlterConfigsResponse.self,
                of: target
            ).body
        }
        var results = Results(invocation, done: request.validateOnly ? "would change" : "changed")
        let what = invocation.arguments.prefix(2).joined(separator: " ")
        for result in answer.responses {
            results.add(
                what, ErrorCode(rawValue: result.errorCode), result.errorMessage,
                [
                    ("kind", JSONValue(invocation.argument(0))),
                    ("name", .text(result.resourceName)),
                    ("settings", .list(changes.map { .text($0.key) })),
                ])
        }
        return results.finish()
    }
}
