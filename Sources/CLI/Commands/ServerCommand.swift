internal import Broker
internal import Glibc
internal import Server

/// `millrace server`: a node, in this process.
enum ServerCommand {
    /// Flags that say where a node's settings are.
    static let settings = [
        Flag(
            "config", short: "c", .file,
            "server.properties (environment and --override are over it)"),
        Flag("override", .text("KEY=VALUE"), repeated: true, "A setting, over all else"),
    ]

    static let command = Command(
        path: ["server"], summary: "Run a node in this process",
        details: """
            SIGTERM and SIGINT end it in good order; the log goes to standard error. Environment:
            MILLRACE_ and a setting's name in capitals with _ for the points.

              millrace server --config /etc/millrace/server.properties
            """,
        flags: settings, hasOutput: false, run: run)

    /// The settings that the flags and the environment say.
    static func load(_ invocation: Invocation) throws(CLIError) -> NodeSettings {
        _ = try invocation.pairs("override")
        return try LocalCommand.command { () throws(CommandError) in
            try SettingsLoader.load(
                path: invocation.text("config"), environment: SettingsLoader.environment(),
                overrides: invocation.all("override"))
        }
    }

    private static func run(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let settings = try load(invocation)
        let status = try LocalCommand.command { () throws(CommandError) in
            try Server.ServerCommand.run(settings)
        }
        return status == 0 ? .done : .failed
    }
}
