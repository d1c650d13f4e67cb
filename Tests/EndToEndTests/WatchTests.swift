import Foundation
import TestSupport
import Testing

/// `--watch`: rounds of a command, as a person or a script sees them.
@Suite(.localNode(tls: false))
struct WatchTests {
    private let bash = URL(fileURLWithPath: "/bin/bash")

    /// Runs a line of bash in which `$m` is the executable and `$b` the node's address.
    private func shell(_ line: String) async throws -> ProgramResult {
        let node = try #require(LocalNode.current, "the suite has a node")
        return try await Program.run(
            bash, ["-c", line],
            environment: [
                "m": Program.millrace.path, "b": node.plaintext, "TERM": "xterm",
                "d": node.folder.path,
            ], timeout: .seconds(60))
    }

    @Test func documentsFollowEachOtherALineEachUntilItIsInterrupted() async throws {
        // Reads three rounds, looks how many descriptors there are, then interrupts as Ctrl-C does.
        let result = try await shell(
            """
            coproc w { exec $m topic list -b $b -o json --watch=100ms; }
            for i in 1 2; do read -r line <&${w[0]}; echo "$line"; done
            before=$(ls /proc/$w_PID/fd | wc -l)
            for i in 1 2 3 4 5; do read -r line <&${w[0]}; done
            echo $(($(ls /proc/$w_PID/fd | wc -l) - before))
            kill -INT $w_PID; wait $w_PID; echo $?
            """)
        let lines = result.output.split(separator: "\n")
        try #require(lines.count == 4, "\(result)")
        #expect(lines[0] == "[]" && lines[1] == "[]")
        #expect(abs(Int(lines[2]) ?? 99) < 6, "each round closes what it has opened")
        #expect(lines[3] == "130")
    }

    @Test func tablesFollowEachOtherWithAnEmptyLineBetween() async throws {
        let result = try await shell(
            "$m local status --dir $d --watch=100ms --no-headers | head -3")
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        try #require(lines.count == 4, "\(result)")
        #expect(lines[0].contains("serving") && lines[1] == "" && lines[2] == lines[0])
    }

    @Test func aTerminalIsDrawnOver() async throws {
        let result = try await shell(
            """
            cat >$d/watch.sh <<'END'
            $m topic list -b $b --watch=100ms &
            sleep 2; kill -INT $!; wait
            END
            script -qec "bash $d/watch.sh" /dev/null
            """)
        #expect(result.output.hasPrefix("\u{1B}[2J\u{1B}[Hevery 0.1 seconds"), "\(result)")
        #expect(result.output.contains("TOPIC  PARTITIONS  REPLICAS\u{1B}[K"))
        #expect(!result.output.dropFirst(8).contains("\u{1B}[2J"), "no flicker")
    }

    @Test func aRoundThatFailsIsToldAndTheNextOneIsTried() async throws {
        let result = try await shell(
            """
            coproc w { exec $m topic describe later -b $b --watch=100ms -o json 2>&1; }
            read -r line <&${w[0]}; echo "$line"
            $m topic create later -b $b 2>/dev/null
            while read -r line <&${w[0]}; do
                case $line in '[{"name": "later"'*) echo shown; break ;; esac
            done
            kill -INT $w_PID; wait $w_PID; echo $?
            """)
        let lines = result.output.split(separator: "\n")
        #expect(lines.first?.hasPrefix("millrace: topic later: UNKNOWN_TOPIC") == true, "\(result)")
        #expect(lines.dropFirst() == ["shown", "130"])
    }

    @Test func onlyWhatShowsAStateIsWatched() async throws {
        for line in [
            "$m produce a -b $b --watch", "$m topic list -b $b --watch=0",
            "$m topic list -b $b --watch=soon", "$m --watch topic create a -b $b",
        ] {
            let result = try await shell(line)
            #expect(result.status == 64 && result.output.isEmpty, "\(line): \(result)")
        }
        let help = try await shell("$m group describe --help; $m completion fish")
        #expect(help.output.contains("    --watch[=DURATION]"))
        #expect(help.output.contains("topic; and __fish_seen_subcommand_from list' -l watch -d"))
    }
}
