import Foundation
import TestSupport
import Testing

/// The life of a cluster of `millrace local`, apart from what other tests use of it.
struct LocalTests {
    private func local(_ verb: String, _ folder: URL, _ more: String...) async throws
        -> ProgramResult
    {
        try await Program.run(
            Program.millrace, ["local", verb, "--dir", folder.path] + more, timeout: .seconds(60))
    }

    @Test func aClusterIsMadeStoppedKilledStartedAndRemoved() async throws {
        let folder = try Program.temporaryFolder("local")
        defer { try? FileManager.default.removeItem(at: folder) }
        let up = try await local("up", folder, "-o", "json", "--config", "num.partitions=3")
        try #require(up.status == 0, "\(up.errors)")
        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(up.output.utf8)) as? [String: Any])
        #expect(document["ca"] is NSNull)
        let bootstrap = try #require(document["bootstrap"] as? [String: Any])
        #expect(bootstrap["tls"] is NSNull)
        let node = try #require((document["nodes"] as? [[String: Any]])?.first)
        let pidFile = try #require(node["pid_file"] as? String)
        let first = try String(contentsOfFile: pidFile, encoding: .utf8)
        #expect(first == "\(node["pid"] as? Int ?? 0)\n")
        let streams = try ["0", "1", "2"].map { descriptor in
            try FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/\(first.dropLast())/fd/\(descriptor)")
        }
        let log = node["log_file"] as? String ?? ""
        #expect(streams == ["/dev/null", log, log], "none of the caller's streams are open")

        let again = try await local("up", folder)
        #expect(again.status == 1)
        #expect(again.errors.contains("is not empty"))
        #expect(try await local("status", folder).status == 0)
        #expect(try await local("kill", folder).status == 0)
        let down = try await local("status", folder)
        #expect(down.status == 2)
        #expect(down.output.contains("stopped"))
        #expect(try await local("start", folder).status == 0)
        #expect(try String(contentsOfFile: pidFile, encoding: .utf8) != first)
        #expect(try await local("stop", folder).status == 0)
        #expect(try await local("down", folder, "--delete").status == 0)
        #expect(!FileManager.default.fileExists(atPath: folder.path))
        #expect(try await local("start", folder).status == 1)
    }

    @Test func aSettingThatIsRefusedLeavesTheDirectoryEmpty() async throws {
        let folder = try Program.temporaryFolder("local")
        defer { try? FileManager.default.removeItem(at: folder) }
        let up = try await local("up", folder, "--config", "num.partitons=3")
        #expect(up.status == 1)
        #expect(up.errors.contains("num.partitions"), "the nearest name: \(up.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
}
