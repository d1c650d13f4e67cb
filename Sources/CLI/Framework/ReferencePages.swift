internal import Broker

/// The pages of docs/reference/, from the tables that the program itself goes by.
enum ReferencePages {
    /// File name → text.
    static func all(nouns: [Noun], topLevel: [Command]) -> [(name: String, text: String)] {
        [("commands.md", commands(nouns, topLevel))] + ConfigReference.pages()
    }

    private static func commands(_ nouns: [Noun], _ topLevel: [Command]) -> String {
        let codes = ExitCode.meanings.map { "\($0.code.rawValue) \($0.text)" }
            .joined(separator: "; ")
        var text = """
            # Commands

            Made by `make docs` from the table in `Sources/CLI`. Exit codes:
            \(codes).

            Flags of every command that talks to a cluster:

            """
        text += table(SharedFlags.connection) + "\nFlags of every command with results:\n"
        text += table(SharedFlags.output)
        text += "\nFlags of every command that lists or describes:\n" + table(SharedFlags.watch)
        let all = topLevel.filter { !$0.isHidden } + nouns.flatMap(\.commands)
        for command in all.sorted(by: { $0.name < $1.name }) {
            text += "\n## millrace \(command.name)\n\n\(command.summary).\n\n"
            text += "    \(command.usage)\n"
            if !command.arguments.isEmpty {
                text += "\n| argument | |\n| --- | --- |\n"
                for argument in command.arguments {
                    text += "| `\(argument.usage)` | \(cell(argument.doc)) |\n"
                }
            }
            text += table(command.flags)
            if !command.details.isEmpty {
                let lines = command.details.split(
                    separator: "\n", omittingEmptySubsequences: false)
                text += "\n" + lines.map { $0.isEmpty ? "" : "    \($0)" }.joined(separator: "\n")
                text += "\n"
            }
        }
        return text
    }

    private static func table(_ flags: [Flag]) -> String {
        guard !flags.isEmpty else { return "" }
        var text = "\n| flag | |\n| --- | --- |\n"
        for flag in flags {
            let usage = flag.usage.drop { $0 == " " }
            let notes = (flag.isRequired ? " Required." : "") + (flag.isRepeated ? " Repeats." : "")
            text += "| `\(usage.replacing("|", with: "\\|"))` | \(cell(flag.doc)).\(notes) |\n"
        }
        return text
    }

    private static func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }
}
