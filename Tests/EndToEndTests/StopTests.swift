import Foundation
import TestSupport
import Testing

/// Ends that are asked for, and a kill while the node starts.
struct StopTests {
    private func shell(_ script: String, _ arguments: String...) async throws -> ProgramResult {
        try await Program.run(
            URL(fileURLWithPath: "/bin/sh"), ["-c", script, Program.millrace.path] + arguments,
            timeout: .seconds(20))
    }

    @Test(arguments: ["TERM", "INT"])
    func aSignalStopsInGoodOrder(signal: String) async throws {
        let folder = try Program.temporaryFolder("stop")
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = """
            "$0" server --override process.roles=broker,controller --override node.id=1 \
              --override log.dirs="$1/data" --override millrace.storage.format=true \
              --override listeners=PLAINTEXT://127.0.0.1:0 \
              --override millrace.http.listener= 2>"$1/log" & node=$!
            until grep -q unfenced "$1/log" || ! kill -0 $node; do sleep 0.02; done
            kill -$2 $node; wait $node
            """
        for _ in 0..<2 {
            let result = try await shell(script, folder.path, signal)
            let log = try String(contentsOfFile: folder.path + "/log", encoding: .utf8)
            #expect(result.status == 0 && log.contains("node stopped"), "\(log)")
            #expect(!log.contains("\"level\":\"error\""), "\(log)")
            let mark = folder.path + "/data/.kafka_cleanshutdown"
            #expect(FileManager.default.fileExists(atPath: mark))
        }
    }

    @Test func aNodeKilledWhileItStartsServesAfterwards() async throws {
        let node = try await LocalNode.start(tls: false)
        try await node.local("kill")
        // The pause is where the kill falls: from before the first file to after the last.
        let script = """
            for pause in 0.005 0.01 0.015 0.02 0.03 0.04 0.06 0.1; do
              "$0" server --config "$1" 2>/dev/null & node=$!
              sleep $pause; kill -9 $node; wait $node 2>/dev/null
            done; true
            """
        let config = node.folder.path + "/node-1/server.properties"
        let result = try await shell(script, config)
        #expect(result.status == 0)
        try await node.local("start")
        await node.remove()
    }

    @Test func formattingThatWasKilledCanBeDoneAgain() async throws {
        let folder = try Program.temporaryFolder("format")
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = """
            for pause in 0 0.002 0.004 0.006 0.008 0.01 0.015 0.02; do
              set -- "$1" process.roles=broker,controller node.id=1 \
                listeners=PLAINTEXT://127.0.0.1:0 log.dirs="$1/data-$pause"
              format="storage format --ignore-formatted --override $2 --override $3"
              "$0" $format --override $4 --override $5 >/dev/null 2>&1 & own=$!
              sleep $pause; kill -9 $own 2>/dev/null; wait $own 2>/dev/null
              "$0" $format --override $4 --override $5 || exit 1
              grep -q version=1 "$1/data-$pause/meta.properties" || exit 2
            done
            """
        let result = try await shell(script, folder.path)
        #expect(result.status == 0, "\(result.output)\(result.errors)")
    }
}
