import Foundation
import TestSupport
import Testing

/// Certificates of `millrace cert` whose time is over, at a node and at a client.
struct ExpiredCertificateTests {
    private func millrace(_ arguments: String...) async throws -> ProgramResult {
        try await Program.run(Program.millrace, arguments, timeout: .seconds(60))
    }

    @Test func aNodeRefusesItsOwnAndLogsAClientsOnce() async throws {
        let node = try await LocalNode.start(config: ["ssl.client.auth=required"])
        do {
            try await refusals(node)
        } catch {
            await node.remove()
            throw error
        }
        await node.remove()
    }

    /// What the node's log says of handshakes, once it says something.
    private func handshakes(_ node: LocalNode) async throws -> [String] {
        let end = ContinuousClock.now + .seconds(20)
        while true {
            let log = try String(contentsOfFile: node.description.nodes[0].logFile, encoding: .utf8)
            let lines = log.split(separator: "\n").filter { $0.contains("net.handshake") }
            guard lines.isEmpty, ContinuousClock.now < end else { return lines.map(String.init) }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func refusals(_ node: LocalNode) async throws {
        let ca = node.folder.appending(path: "ca").path
        let past = ["--dir", ca, "--not-before", "-10", "--days", "5"]
        for kind in ["node", "client"] {
            let issued = try await Program.run(
                Program.millrace, ["cert", kind, "old-\(kind)"] + past)
            #expect(issued.status == 0, "\(issued.errors)")
        }
        let shown = try await millrace("cert", "show", "\(ca)/old-client.crt", "-o", "json")
        let list = try JSONSerialization.jsonObject(with: Data(shown.output.utf8))
        let own = try #require((list as? [[String: Any]])?.first)
        let dates = try ["valid_from", "valid_until"].map {
            try Date(try #require(own[$0] as? String), strategy: .iso8601)
        }
        #expect(dates[1].timeIntervalSince(dates[0]) == 5 * 86400)
        #expect(abs(dates[0].timeIntervalSinceNow + 10 * 86400) < 3600)

        let (certificate, key) = ("\(ca)/old-client.crt", "\(ca)/old-client.key")
        let refused = try await millrace(
            "cluster", "describe", "-b", node.tls, "--ca", node.ca, "--cert", certificate,
            "--key", key)
        #expect(refused.status == 64 && refused.errors.contains("expired at"), "\(refused)")
        // Other clients send it all the same.
        let openssl = URL(fileURLWithPath: "/usr/bin/openssl")
        _ = try await Program.run(
            openssl,
            ["s_client", "-connect", node.tls, "-cert", certificate, "-key", key], input: "",
            timeout: .seconds(20))
        let lines = try await handshakes(node)
        #expect(lines.count == 1)
        #expect(lines.first?.contains("certificate has expired") == true)
        try await node.local("stop")

        let config = node.folder.appending(path: "node-1/server.properties").path
        let start = try await millrace(
            "server", "--config", config, "--override",
            "millrace.ssl.certificate.file=\(ca)/old-node.crt", "--override",
            "millrace.ssl.key.file=\(ca)/old-node.key")
        #expect(start.status == 1)
        #expect(start.errors.contains("the certificate CN=old-node"), "\(start.errors)")
        #expect(start.errors.contains("expired at"))
    }

    @Test func anIssuerDoesNotReachOutOfItsRange() async throws {
        for (flag, value) in [
            ("--not-before", "yesterday"), ("--not-before", "-99999"), ("--days", "0"),
        ] {
            let result = try await millrace("cert", "client", "x", "--dir", "/tmp", flag, value)
            #expect(result.status == 64 && result.errors.contains("whole number"), "\(result)")
        }
    }
}
