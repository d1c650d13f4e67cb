internal import Glibc

/// `--watch`: a command again and again, until it is interrupted.
///
/// On a terminal each round is drawn over the last one; elsewhere they follow each other, tables
/// with an empty line between, JSON with a document a line. A round that fails says so, and the
/// next one is tried: what is watched is often what goes away and comes back.
enum Watch {
    /// - Throws: an error of usage, which no later round would mend.
    static func run(_ invocation: Invocation, every interval: Duration) throws(CLIError) -> ExitCode
    {
        guard interval >= .milliseconds(100) else { throw .usage("--watch is 100ms or longer") }
        // A round may wait for a cluster for long: it is not waited for.
        signal(SIGINT) { _ in _exit(ExitCode.interrupted.rawValue) }
        let isDrawn = Terminal.outputIsTerminal && invocation.output != .json
        if isDrawn { Terminal.write("\u{1B}[2J") }
        var isFirst = true
        while true {
            var failure: CLIError?
            let text = Terminal.held {
                do throws(CLIError) {
                    _ = try invocation.command.run(invocation)
                } catch {
                    failure = error
                }
            }
            invocation.disconnect()
            if let failure, failure.exitCode == .usage { throw failure }
            if isDrawn {
                draw(text + (failure.map { "millrace: \($0.message)\n" } ?? ""), interval)
            } else {
                let separator = isFirst || invocation.output == .json ? "" : "\n"
                if !text.isEmpty { Terminal.write(separator + text) }
                if let failure { Terminal.error(failure.message) }
            }
            isFirst = false
            var pause = timespec(
                tv_sec: Int(interval.components.seconds),
                tv_nsec: Int(interval.components.attoseconds / 1_000_000_000))
            nanosleep(&pause, nil)
        }
    }

    /// As much as the terminal has place for, over what is there.
    private static func draw(_ text: String, _ interval: Duration) {
        let size = Terminal.size
        var lines = ["every \(interval), Ctrl-C ends it", ""]
        lines += text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        if lines.count >= size.lines {
            let hidden = lines.count - size.lines + 2
            lines = Array(lines.prefix(max(size.lines - 2, 0))) + ["... \(hidden) more lines"]
        }
        let body = lines.map { "\($0.prefix(size.columns))\u{1B}[K\n" }.joined()
        Terminal.write("\u{1B}[H" + body + "\u{1B}[J")
    }
}
