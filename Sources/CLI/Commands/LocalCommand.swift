internal import MillraceBase
internal import Server

/// `millrace local`: a cluster on this machine that outlives the command.
enum LocalCommand {
    private static let directory = Flag(
        "dir", .directory, required: true, "The cluster's directory")
    private static let wait = Flag(
        "timeout", .duration, "How long to wait for the nodes (default 60s)")
    private static let node = Flag("node", .integer(1...Int.max), "One node (default: all)")

    static let all: [Command] = [
        Command(
            path: ["local", "up"], summary: "Make a cluster in a new directory and start it",
            details: """
                Returns once every node serves, and leaves the nodes running, on free ports of the
                loopback address. With --tls there is a TLS listener beside the plaintext one, and a
                development authority in DIR/ca.

                  millrace local up --dir /tmp/m --tls -o json
                  millrace local down --dir /tmp/m
                """,
            flags: [
                directory,
                Flag(
                    "nodes", .integer(1...99), "How many nodes: 1, this version has no more"),
                Flag("tls", "A TLS listener too, with certificates of a development authority"),
                Flag(
                    "config", .text("KEY=VALUE"), repeated: true,
                    "A setting of the nodes, over those that this command gives"),
                wait,
            ], run: up),
        Command(
            path: ["local", "down"], summary: "Stop all nodes of a cluster",
            details: """
                Its files stay, unless --delete is there. The exit code is 1 if a node did not stop
                cleanly; that one had died before is only told.
                """,
            flags: [directory, Flag("delete", "Remove the directory with all data"), wait],
            run: down),
        Command(
            path: ["local", "status"], summary: "Show the nodes of a cluster",
            details: "The exit code is 2 if a node does not serve.", flags: [directory], run: status
        ),
        Command(
            path: ["local", "start"], summary: "Start nodes that do not run",
            flags: [directory, node, wait], run: start),
        Command(
            path: ["local", "stop"], summary: "Stop nodes in good order (SIGTERM)",
            details: "The exit code is 1 if a node had died before or did not stop cleanly.",
            flags: [directory, node, wait], run: stop),
        Command(
            path: ["local", "kill"], summary: "End nodes at once (SIGKILL)",
            flags: [directory, node, wait], run: kill),
    ]

    static func makeDirectory(_ path: String) throws(CLIError) {
        try command { () throws(CommandError) in try LocalCluster.makeDirectory(path) }
    }

    /// Runs what throws errors of a node's commands.
    static func command<R>(_ body: () throws(CommandError) -> R) throws(CLIError) -> R {
        do throws(CommandError) {
            return try body()
        } catch {
            throw CLIError(error.description, ExitCode(rawValue: error.exitCode) ?? .failed)
        }
    }

    private static func timeout(_ invocation: Invocation) -> Duration {
        invocation.duration("timeout") ?? .seconds(60)
    }

    private static func open(_ invocation: Invocation) throws(CLIError) -> LocalCluster {
        try command { () throws(CommandError) in
            try LocalCluster(existing: invocation.text("dir") ?? "")
        }
    }

    private static func up(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let count = invocation.integer("nodes") ?? 1
        guard count <= LocalCluster.nodesMax else {
            throw .usage(
                "--nodes \(count): this version has clusters of one node; leave --nodes out")
        }
        let config = try invocation.pairs("config")
        let cluster = try command { () throws(CommandError) in
            try LocalCluster.make(
                directory: invocation.text("dir") ?? "", tls: invocation.has("tls"), config: config)
        }
        _ = try command { () throws(CommandError) in
            try cluster.start(timeout: timeout(invocation))
        }
        try show(cluster, invocation)
        return .done
    }

    private static func down(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let cluster = try open(invocation)
        let removing = invocation.has("delete")
        let problems = try command { () throws(CommandError) in
            let problems = try cluster.stop(
                graceful: true, removing: removing, timeout: timeout(invocation))
            if removing { try cluster.remove() }
            return problems
        }
        if removing {
            invocation.report("Stopped and removed.", json: .object([("removed", true)]))
        } else {
            try show(cluster, invocation)
        }
        _ = finish(problems.died)
        return finish(problems.unclean)
    }

    private static func status(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let cluster = try open(invocation)
        try show(cluster, invocation)
        let description = try command { () throws(CommandError) in try cluster.describe() }
        return description.nodes.allSatisfy(\.isServing) ? .done : .unhealthy
    }

    private static func start(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let cluster = try open(invocation)
        let running = try command { () throws(CommandError) in
            try cluster.start(
                only: invocation.integer("node").map { Int32(clamping: $0) },
                timeout: timeout(invocation))
        }
        for id in running { Terminal.note("node \(id) is running already") }
        try show(cluster, invocation)
        return .done
    }

    private static func stop(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        try end(invocation, graceful: true)
    }

    private static func kill(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        try end(invocation, graceful: false)
    }

    private static func end(
        _ invocation: Invocation, graceful: Bool
    ) throws(CLIError) -> ExitCode {
        let cluster = try open(invocation)
        let problems = try command { () throws(CommandError) in
            try cluster.stop(
                only: invocation.integer("node").map { Int32(clamping: $0) }, graceful: graceful,
                timeout: timeout(invocation))
        }
        try show(cluster, invocation)
        return finish(problems.died + problems.unclean)
    }

    private static func show(
        _ cluster: LocalCluster, _ invocation: Invocation
    ) throws(CLIError) {
        let found = try command { () throws(CommandError) in try cluster.describe() }
        let nodes = found.nodes
        invocation.show(
            Listing(
                columns: [
                    Column("NODE", right: true), Column("STATE"), Column("PID", right: true),
                    Column("PLAINTEXT"), Column("TLS"), Column("LOG"), Column("CONFIG", wide: true),
                    Column("DATA", wide: true), Column("CA", wide: true),
                ],
                rows: nodes.map { node in
                    [
                        "\(node.id)", state(node), node.processID.map { "\($0)" } ?? "",
                        found.plaintext ?? "", found.tls ?? "", node.logFile, node.configFile,
                        node.dataDirectory, found.ca ?? "",
                    ]
                }, json: json(found)))
    }

    /// - Parameter problems: what makes the command fail after all.
    private static func finish(_ problems: [String]) -> ExitCode {
        for problem in problems { Terminal.error(problem) }
        return problems.isEmpty ? .done : .failed
    }

    private static func state(_ node: LocalCluster.Node) -> String {
        if node.processID == nil { return node.hasDied ? "died" : "stopped" }
        return node.isServing ? "serving" : "starting"
    }

    private static func json(_ found: LocalCluster.Description) -> JSONValue {
        let nodes = found.nodes.map { node -> JSONValue in
            .object([
                ("id", JSONValue(node.id)), ("pid", JSONValue(node.processID)),
                ("pid_file", .text(node.pidFile)), ("data_dir", .text(node.dataDirectory)),
                ("log_file", .text(node.logFile)), ("config_file", .text(node.configFile)),
                ("ports", .list(node.ports.map { JSONValue($0) })), ("state", .text(state(node))),
            ])
        }
        return .object([
            (
                "bootstrap",
                .object([("plaintext", JSONValue(found.plaintext)), ("tls", JSONValue(found.tls))])
            ),
            ("ca", JSONValue(found.ca)), ("nodes", .list(nodes)),
        ])
    }
}
