import Foundation
import TestSupport
import Testing

/// kill -9 while an idempotent producer sends, and the node started again on the same folder.
struct KillTests {
    private func killUnderLoad(times: Int, seed: Int, verb: String = "kill") async throws {
        let node = try await LocalNode.start(tls: false)
        let result = try await Program.run(
            Program.venv("clients/bin/python"),
            [
                Program.root.appending(path: "Tests/EndToEndTests/clients/kill_under_load.py").path,
                "--millrace", Program.millrace.path, "--dir", node.folder.path,
                "--bootstrap", node.plaintext, "--kills", "\(times)", "--seed", "\(seed)",
                "--verb", verb,
            ], timeout: .seconds(120 + 20 * times))
        await node.remove()
        #expect(!result.timedOut, "it hangs: \(result.output.suffix(500))")
        #expect(result.status == 0, "\(result.output.suffix(500))\n\(result.errors.suffix(2000))")
        #expect(result.output.contains(": ok"))
    }

    @Test func nothingAcknowledgedIsLostWhenTheNodeIsKilledFiveTimes() async throws {
        try await killUnderLoad(times: 5, seed: 1)
    }

    @Test func nothingAcknowledgedIsLostWhenTheNodeIsStoppedUnderLoad() async throws {
        try await killUnderLoad(times: 2, seed: 3, verb: "stop")
    }

    @Test(.enabled(if: Soak.minutes != nil, "make soak"))
    func soakFiftyKills() async throws {
        try await killUnderLoad(times: 50, seed: 2)
    }
}
