import Foundation
import MillraceNet
import TestSupport
import Testing

/// What a node refuses to start on: one clear line, exit code 1.
struct StartRefusalTests {
    /// A folder with a formatted data directory of node 1.
    private struct Ground {
        let folder = try? Program.temporaryFolder("refuse")
        var root: String { folder?.path ?? "/nonexistent" }
        var data: String { root + "/data" }
        var base: [String: String] {
            [
                "process.roles": "broker,controller", "node.id": "1", "log.dirs": data,
                "listeners": "PLAINTEXT://127.0.0.1:0",
            ]
        }

        func format() async throws {
            let result = try await run(["storage", "format"], base)
            try #require(result.status == 0, "\(result.errors)")
        }

        func run(_ command: [String], _ settings: [String: String]) async throws -> ProgramResult {
            let overrides = settings.sorted { $0.key < $1.key }
                .flatMap { ["--override", "\($0.key)=\($0.value)"] }
            return try await Program.run(
                Program.millrace, command + overrides, timeout: .seconds(10))
        }

        func write(_ text: String, to name: String) throws -> String {
            let path = root + "/" + name
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }

        func remove() { if let folder { try? FileManager.default.removeItem(at: folder) } }
    }

    /// Starts a node that must refuse with a line that holds `words`.
    private func refuses(
        _ ground: Ground, _ changes: [String: String], _ words: [String],
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        let result = try await ground.run(["server"], ground.base.merging(changes) { $1 })
        expect(result, words, location)
    }

    private func expect(_ result: ProgramResult, _ words: [String], _ location: SourceLocation) {
        let lines = result.errors.split(separator: "\n")
        let clear = lines.filter { $0.hasPrefix("millrace: ") }
        #expect(result.status == 1 && !result.timedOut, sourceLocation: location)
        #expect(clear.count == 1 && lines.last == clear.last, sourceLocation: location)
        for word in words {
            #expect(
                clear.first?.contains(word) == true, "\(result.errors)", sourceLocation: location)
        }
    }

    @Test func dataDirectoriesThatAreNotTheNodesAreRefused() async throws {
        let ground = Ground()
        defer { ground.remove() }
        try await refuses(ground, [:], ["is not formatted", "millrace storage format"])
        try await ground.format()
        try await refuses(ground, ["node.id": "2"], ["node.id=1", "expected 2"])
        let file = ground.data + "/meta.properties"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try text.replacingOccurrences(of: "version=1", with: "version=2")
            .write(toFile: file, atomically: true, encoding: .utf8)
        try await refuses(ground, [:], ["version 2", "this program knows 1"])
    }

    @Test func portsAndDirectoriesOfALivingNodeAreRefused() async throws {
        let node = try await LocalNode.start(tls: false)
        let ground = Ground()
        defer { ground.remove() }
        try await ground.format()
        let port = node.plaintext
        try await refuses(
            ground, ["listeners": "PLAINTEXT://\(port)"], ["PLAINTEXT", port, "in use"])
        let http = "127.0.0.1:\(node.description.nodes[0].ports.last ?? 0)"
        try await refuses(
            ground, ["millrace.http.listener": http], ["millrace.http.listener", http, "in use"])
        let data = node.description.nodes[0].dataDir
        try await refuses(ground, ["log.dirs": data], [data, "in use by another process"])
        await node.remove()
    }

    @Test func settingsThatAreWrongAreRefusedWithTheirLine() async throws {
        let ground = Ground()
        defer { ground.remove() }
        let first = ground.base.map { "\($0.key)=\($0.value)\n" }.sorted().joined()
        for (line, words) in [
            ("log.retention.byts=3", [":5:", "unknown setting", "log.retention.bytes"]),
            ("log.retention.bytes=abc", [":5:", "log.retention.bytes", "abc"]),
        ] {
            let file = try ground.write(first + line + "\n", to: "server.properties")
            let result = try await ground.run(["server", "--config", file], [:])
            expect(result, words, #_sourceLocation)
        }
    }

    @Test func certificatesThatCannotServeAreRefused() async throws {
        let ground = Ground()
        defer { ground.remove() }
        try await ground.format()
        let authority = try CertificateAuthority(commonName: "Test CA", days: 1)
        let now = Int64(Date().timeIntervalSince1970)
        for (name, end) in [("old", now - 60), ("good", now + 3600), ("other", now + 3600)] {
            let issued = try authority.issue(
                commonName: name, names: ["localhost"], usage: .both, notBefore: now - 7200,
                notAfter: end)
            try issued.write(to: ground.root, name: name)
        }
        let noise = try ground.write("no certificate\n", to: "noise.crt")
        for (certificate, key, words) in [
            ("\(ground.root)/old.crt", "old", ["CN=old", "expired at"]),
            ("\(ground.root)/good.crt", "other", ["other.key", "does not belong", "CN=good"]),
            ("\(ground.root)/none.crt", "good", ["none.crt", "No such file"]),
            (noise, "good", ["noise.crt", "holds no certificate"]),
        ] {
            try await refuses(
                ground,
                [
                    "listeners": "SSL://127.0.0.1:0", "millrace.ssl.certificate.file": certificate,
                    "millrace.ssl.key.file": "\(ground.root)/\(key).key",
                ], ["listener SSL"] + words)
        }
    }
}
