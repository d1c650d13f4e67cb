import Foundation
import TestSupport
import Testing

/// Conversations recorded from Apache Kafka 4.3.1 (Tests/Golden), held with a node of ours.
struct GoldenTests {
    /// The settings of broker.properties that are not the node's own addresses and ids.
    private func settings() throws -> [String] {
        let text = try String(
            contentsOf: Recordings.root.appending(path: "broker.properties"), encoding: .utf8)
        let own = ["process.roles", "controller.", "listener", "#"]
        return text.split(separator: "\n").map(String.init).filter { line in
            !own.contains { line.hasPrefix($0) }
        }
    }

    private func replay(
        _ profile: String, _ more: [String], atLeast: Int
    ) async throws {
        let node = try await LocalNode.start(tls: false, config: try settings() + more)
        let result = try await Program.run(
            Program.venv("clients/bin/python"),
            [
                Recordings.root.appending(path: "golden").path, "replay",
                Recordings.root.appending(path: "scenarios").path, "--bootstrap", node.plaintext,
                "--profile", profile, "--served", "--except", "fetch-compacted,txn-init-refusals",
            ], timeout: .seconds(300))
        await node.remove()
        #expect(!result.timedOut, "it hangs: \(result.output.suffix(500))")
        #expect(result.status == 0, "\(result.output.suffix(6000))\n\(result.errors.suffix(2000))")
        let totals = try #require(result.output.firstMatch(of: /(\d+)\/(\d+) scenarios/))
        #expect(totals.output.1 == totals.output.2)
        #expect((Int(totals.output.1) ?? 0) >= atLeast, "scenarios that the node's APIs allow")
    }

    @Test(arguments: [1, 3])
    func everyRecordedAnswerOfOneNodeIsOurs(shards: Int) async throws {
        try await replay("plain", ["millrace.shards=\(shards)"], atLeast: 186)
    }

    @Test func everyRecordedAnswerIsOursWhereTopicsAreMadeOnDemand() async throws {
        try await replay("autocreate", ["auto.create.topics.enable=true"], atLeast: 1)
    }
}
