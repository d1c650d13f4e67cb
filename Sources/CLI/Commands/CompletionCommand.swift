/// `millrace completion`: a shell's script.
enum CompletionCommand {
    static let command = Command(
        path: ["completion"], summary: "Print the completion script of a shell",
        details: """
            bash:  source <(millrace completion bash)
            zsh:   millrace completion zsh > DIR/_millrace, DIR in $fpath
            fish:  millrace completion fish > ~/.config/fish/completions/millrace.fish
            """,
        arguments: [
            Argument("shell", choices: CompletionScript.shells, "bash, zsh or fish")
        ], hasOutput: false, run: run)

    private static func run(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let shell = invocation.argument(0) ?? ""
        guard CompletionScript.shells.contains(shell) else {
            throw .usage(
                "no completion for \"\(shell)\""
                    + NearestName.hint(shell, in: CompletionScript.shells)
                    + " (there are bash, zsh, fish)")
        }
        Terminal.write(
            CompletionScript.text(shell: shell, nouns: Millrace.nouns, topLevel: Millrace.topLevel))
        return .done
    }
}
