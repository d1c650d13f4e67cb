internal import Glibc

/// The program: its commands, and how one of them is run.
enum Millrace {
    static let version = "0.1.0"

    /// Verbs of every day, and what needs no noun.
    static let topLevel: [Command] = [
        ServerCommand.command,
        ProduceCommand.command,
        ConsumeCommand.command,
        CompletionCommand.command,
        DocsCommand.command,
    ]

    static let nouns: [Noun] = [
        Noun(
            name: "bench", summary: "Load on a cluster, and what it took",
            commands: BenchCommand.all),
        Noun(name: "topic", summary: "Topics of a cluster", commands: TopicCommand.all),
        Noun(
            name: "log", summary: "What stands in the files of a partition",
            commands: LogCommand.all),
        Noun(name: "group", summary: "Groups of consumers", commands: GroupCommand.all),
        Noun(
            name: "config", summary: "Settings of topics, brokers and groups",
            commands: ConfigCommand.all),
        Noun(
            name: "cluster", summary: "The cluster and its nodes", commands: ClusterCommand.all),
        Noun(
            name: "local", summary: "A cluster for development on this machine",
            commands: LocalCommand.all),
        Noun(
            name: "storage", summary: "The data directories of a node",
            commands: StorageCommands.all),
        Noun(
            name: "cert", summary: "Development certificates for TLS", commands: CertCommand.all),
    ]

    /// Runs the command line of this process and ends the process.
    static func main() -> Never {
        signal(SIGPIPE, SIG_IGN)
        // What a parent has blocked would be blocked here too, and Ctrl-C end nothing.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    private static func run(_ words: [String]) -> ExitCode {
        do throws(CLIError) {
            var parser = CommandLineParser(nouns: nouns, topLevel: topLevel)
            switch try parser.parse(words) {
            case .version:
                Terminal.write("millrace \(version)\n")
                return .done
            case .help(let command?, _):
                Terminal.write(HelpText.of(command))
                return .done
            case .help(nil, let noun?):
                Terminal.write(HelpText.of(noun))
                return .done
            case .help(nil, nil):
                let text = HelpText.all(nouns: nouns, topLevel: topLevel)
                if words.isEmpty {
                    Terminal.note(text)
                    return .usage
                }
                Terminal.write(text)
                return .done
            case .run(let invocation):
                guard let interval = invocation.watchInterval else {
                    return try invocation.command.run(invocation)
                }
                return try Watch.run(invocation, every: interval)
            }
        } catch {
            Terminal.error(error.message)
            return error.exitCode
        }
    }
}
