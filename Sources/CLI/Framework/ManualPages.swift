/// Manual pages (roff, man macros), from the table of commands: one of the program, one for each
/// noun with its verbs, and one for each command at the top.
enum ManualPages {
    /// File name → text.
    static func all(nouns: [Noun], topLevel: [Command]) -> [(name: String, text: String)] {
        let top = topLevel.filter { !$0.isHidden }
        var pages = [("millrace.1", overview(nouns, top))]
        for command in top {
            pages.append(("millrace-\(command.name).1", page(command)))
        }
        for noun in nouns { pages.append(("millrace-\(noun.name).1", page(noun))) }
        return pages
    }

    private static func overview(_ nouns: [Noun], _ topLevel: [Command]) -> String {
        var text = head("millrace", "a replicated log that Kafka's clients use")
        text += ".SH SYNOPSIS\n.B millrace\nCOMMAND [flags]\n.SH COMMANDS\n"
        let rows =
            topLevel.map { ($0.name, $0.summary) } + nouns.map { ($0.name, $0.summary) }
        for (name, summary) in rows.sorted(by: { $0.0 < $1.0 }) {
            text += ".TP\n.BR millrace\\-\(name) (1)\n\(line(summary)).\n"
        }
        text += flags("FLAGS OF A CONNECTION", SharedFlags.connection)
        text += flags("FLAGS OF RESULTS", SharedFlags.output + SharedFlags.watch)
        text += ".SH EXIT STATUS\n"
        for (code, meaning) in ExitCode.meanings {
            text += ".TP\n.B \(code.rawValue)\n\(line(meaning)).\n"
        }
        text += ".SH ENVIRONMENT\n.TP\n.B MILLRACE_BOOTSTRAP_SERVER\n"
        text += "Where to find the cluster, HOST:PORT[,...].\n"
        text += ".TP\n.B MILLRACE_PROFILE\nName of a profile in\n"
        return text + ".IR \\(ti/.config/millrace/profiles.properties .\n"
    }

    private static func page(_ noun: Noun) -> String {
        var text = head("millrace-\(noun.name)", noun.summary) + ".SH SYNOPSIS\n"
        for command in noun.commands { text += synopsis(command) }
        text += ".SH DESCRIPTION\n"
        for command in noun.commands {
            text += ".SS \(line(command.usage))\n" + body(command)
        }
        return text + seeAlso
    }

    private static func page(_ command: Command) -> String {
        head("millrace-\(command.name)", command.summary) + ".SH SYNOPSIS\n" + synopsis(command)
            + ".SH DESCRIPTION\n" + body(command) + seeAlso
    }

    private static let seeAlso = ".SH SEE ALSO\n.BR millrace (1)\n"

    private static func head(_ name: String, _ summary: String) -> String {
        let title = line(name.uppercased())
        return ".TH \"\(title)\" 1 \"\" \"millrace \(Millrace.version)\"\n.SH NAME\n"
            + "\(line(name)) \\- \(line(summary))\n"
    }

    private static func synopsis(_ command: Command) -> String {
        ".B \(line((["millrace"] + command.path).joined(separator: " ")))\n"
            + line((command.arguments.map(\.usage) + ["[flags]"]).joined(separator: " "))
            + "\n.br\n"
    }

    /// What a command does, its arguments and flags; of shared flags their names.
    private static func body(_ command: Command) -> String {
        var text = "\(line(command.summary)).\n"
        for argument in command.arguments {
            text += ".TP\n.I \(line(argument.usage))\n\(line(argument.doc)).\n"
        }
        for flag in command.flags { text += entry(flag) }
        let shared = command.allFlags.dropFirst(command.flags.count).map { "--\($0.name)" }
        text += ".PP\nFlags that other commands have too: "
        text += line(shared.joined(separator: ", ")) + ".\n"
        guard !command.details.isEmpty else { return text }
        return text + ".PP\n.nf\n\(lines(command.details)).fi\n"
    }

    private static func flags(_ title: String, _ flags: [Flag]) -> String {
        ".SH \(title)\n" + flags.map(entry).joined()
    }

    private static func entry(_ flag: Flag) -> String {
        let notes = (flag.isRequired ? " Required." : "") + (flag.isRepeated ? " Repeats." : "")
        return ".TP\n.B \(line(String(flag.usage.drop { $0 == " " })))\n"
            + "\(line(flag.doc)).\(notes)\n"
    }

    private static func lines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { line(String($0)) + "\n" }.joined()
    }

    /// Text that roff takes for nothing but text.
    private static func line(_ text: String) -> String {
        let escaped = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
            .replacing("'", with: "\\(aq").replacing("~", with: "\\(ti")
            .replacing("\"", with: "\\(dq")
        return escaped.hasPrefix(".") ? "\\&" + escaped : escaped
    }
}
