internal import Server

/// `millrace docs`: the reference pages, from the program's own tables.
enum DocsCommand {
    static let command = Command(
        path: ["docs"], summary: "Write the reference pages",
        flags: [
            Flag("dir", .directory, required: true, "Where the pages are written"),
            Flag("man", "Manual pages (roff) instead of those of docs/reference"),
        ],
        hasOutput: false, isHidden: true, run: run)

    private static func run(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let directory = invocation.text("dir") ?? "."
        try LocalCommand.makeDirectory(directory)
        let pages =
            invocation.has("man")
            ? ManualPages.all(nouns: Millrace.nouns, topLevel: Millrace.topLevel)
            : ReferencePages.all(nouns: Millrace.nouns, topLevel: Millrace.topLevel)
        for page in pages {
            try LocalCommand.command { () throws(CommandError) in
                try LocalCluster.write(page.text, to: "\(directory)/\(page.name)")
            }
        }
        Terminal.note("Wrote \(pages.map(\.name).joined(separator: ", ")) to \(directory).")
        return .done
    }
}
