/// The texts of `--help`, from the table of commands.
enum HelpText {
    /// All commands.
    static func all(nouns: [Noun], topLevel: [Command]) -> String {
        var text = """
            Millrace: a replicated log that Kafka's clients use, in one executable.

            usage: millrace COMMAND [flags]


            """
        let rows =
            topLevel.filter { !$0.isHidden }.map { ($0.name, $0.summary) }
            + nouns.map { ($0.name, $0.summary) }
        text += table(rows.sorted { $0.0 < $1.0 })
        text += """

            millrace COMMAND --help says more. Clients find the cluster by -b HOST:PORT, by
            MILLRACE_BOOTSTRAP_SERVER, or by a profile. millrace --version prints the version.

            """
        return text
    }

    /// A noun with its verbs.
    static func of(_ noun: Noun) -> String {
        "\(noun.summary)\n\nusage: millrace \(noun.name) VERB [flags]\n\n"
            + table(noun.commands.map { ($0.path.last ?? "", $0.summary) })
    }

    /// One command.
    static func of(_ command: Command) -> String {
        var text = "\(command.summary)\n\nusage: \(command.usage)\n"
        if !command.arguments.isEmpty {
            text +=
                "\narguments:\n" + table(command.arguments.map { ($0.name.uppercased(), $0.doc) })
        }
        let own = command.flags
        if !own.isEmpty { text += "\nflags:\n" + table(own.map(row)) }
        let shared = command.allFlags.dropFirst(own.count)
        text += "\nshared flags:\n" + table(shared.map(row))
        if !command.details.isEmpty { text += "\n\(command.details)\n" }
        return text
    }

    private static func row(_ flag: Flag) -> (String, String) {
        let notes = [
            flag.isRequired ? "required" : nil, flag.isRepeated ? "may stand several times" : nil,
        ].compactMap { $0 }
        return (flag.usage, flag.doc + (notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))"))
    }

    /// Two columns; a long left one has a line of its own.
    private static func table(_ rows: [(String, String)]) -> String {
        let width = min(30, rows.map(\.0.count).max() ?? 0)
        return rows.map { left, right in
            if left.count > width {
                return "  \(left)\n" + String(repeating: " ", count: width + 4) + "\(right)\n"
            }
            let padding = String(repeating: " ", count: width - left.count)
            return "  \(left)\(padding)  \(right)\n"
        }.joined()
    }
}
