import Foundation
import TestSupport
import Testing

/// kill -9 while an idempotent producer sends, and the node started again on the same folder.
struct KillTests {
    private func killUnderLoad(
        times: Int, seed: Int, verb: String = "kill", config: [String] = []
    ) async throws {
        let node = try await LocalNode.start(tls: false, config: config)
        let result = try await Program.run(
            Program.venv("clients/bin/python"),
            [
                Program.root.appending(path: "Tests/EndToEndTests/clients/kill_under_load.py").path,
                "--millrace", Program.millrace.path, "--dir", node.folder.path,
                "--bootstrap", node.plaintext, "--kills", "\(times)", "--seed", "\(seed)",
                "--verb", verb,
            ], timeout: .seconds(120 + 20 * times))
        await node.remove()
        let story = "seed \(seed): \(result.output.suffix(500))\n\(result.errors.suffix(2000))"
        try #require(!result.timedOut, "it hangs: \(story)")
        try #require(result.status == 0 && result.output.contains(": ok"), "\(story)")
    }

    @Test func nothingAcknowledgedIsLostWhenTheNodeIsKilledFiveTimes() async throws {
        try await killUnderLoad(times: 5, seed: 1)
    }

    @Test func nothingAcknowledgedIsLostWhenANodeOfThreeShardsIsKilled() async throws {
        try await killUnderLoad(times: 3, seed: 4, config: ["millrace.shards=3"])
    }

    @Test func nothingAcknowledgedIsLostWhenTheNodeIsStoppedUnderLoad() async throws {
        try await killUnderLoad(times: 2, seed: 3, verb: "stop")
    }

    @Test(.enabled(if: Soak.minutes != nil, "make soak"), arguments: [1, 3])
    func soakFiftyKills(shards: Int) async throws {
        try await Soak.rounds("50 kills, \(shards) shards", share: 0.25, from: 100) { seed in
            try await killUnderLoad(
                times: 50, seed: seed, config: ["millrace.shards=\(shards)"])
        }
    }
}
