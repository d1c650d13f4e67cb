internal import Broker
internal import MillraceBase
internal import Server
internal import Storage

/// `millrace storage`: makes and shows the data directories of a node.
enum StorageCommands {
    static let all: [Command] = [
        Command(
            path: ["storage", "format"], summary: "Format the data directories of a node",
            details: """
                  millrace storage format --config /etc/millrace/server.properties
                """,
            flags: ServerCommand.settings + [
                Flag("cluster-id", .text("ID"), "Id of the cluster (default: a new one)"),
                Flag("ignore-formatted", "Leave directories that are formatted as they are"),
            ], run: format),
        Command(
            path: ["storage", "info"], summary: "Show the data directories of a node",
            details: "The exit code is 2 if one is not formatted or belongs elsewhere.",
            flags: ServerCommand.settings, run: info),
        Command(
            path: ["storage", "random-uuid"], summary: "Print an id for a new cluster",
            hasOutput: false, run: randomUuid),
    ]

    private static func format(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let settings = try ServerCommand.load(invocation)
        let made = try LocalCommand.command { () throws(CommandError) in
            try StorageCommand.format(
                settings, clusterID: invocation.text("cluster-id"),
                ignoreFormatted: invocation.has("ignore-formatted"))
        }
        show(made, invocation)
        return .done
    }

    private static func info(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let found = StorageCommand.info(try ServerCommand.load(invocation))
        show(found, invocation)
        return found.allSatisfy { $0.problem == nil } ? .done : .unhealthy
    }

    private static func randomUuid(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        Terminal.write("\(StorageCommand.randomUuid())\n")
        return .done
    }

    private static func show(_ found: [StorageCommand.DirectoryInfo], _ invocation: Invocation) {
        invocation.show(
            Listing(
                columns: [
                    Column("DIRECTORY"), Column("CLUSTER"), Column("NODE", right: true),
                    Column("DIRECTORY ID"), Column("PROBLEM"),
                ],
                rows: found.map { info in
                    [
                        info.path, info.identity?.clusterID ?? "",
                        info.identity.map { "\($0.nodeID.rawValue)" } ?? "",
                        info.identity.map { "\($0.directoryID)" } ?? "", info.problem ?? "",
                    ]
                },
                json: .list(
                    found.map { info in
                        .object([
                            ("path", .text(info.path)),
                            ("cluster_id", JSONValue(info.identity?.clusterID)),
                            ("node_id", JSONValue(info.identity?.nodeID.rawValue)),
                            ("directory_id", JSONValue(info.identity.map { "\($0.directoryID)" })),
                            ("problem", JSONValue(info.problem)),
                        ])
                    })))
    }
}
