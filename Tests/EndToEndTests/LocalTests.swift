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

    private func processID(_ folder: URL) throws -> Int32 {
        let text = try String(
            contentsOf: folder.appending(path: "node-1/node.pid"), encoding: .utf8)
        return try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    /// Waits until something holds.
    private func wait(until holds: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while !(try await holds()) {
            try #require(.now < end, "it does not come about")
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test func aNodeThatDiedOrWasKilledIsToldOf() async throws {
        let folder = try Program.temporaryFolder("local")
        defer { try? FileManager.default.removeItem(at: folder) }
        do {
            try await deaths(folder)
        } catch {
            _ = try? await local("kill", folder)  // a node may run or not
            throw error
        }
    }

    private func deaths(_ folder: URL) async throws {
        try #require(try await local("up", folder).status == 0)
        let again = try await local("start", folder)
        #expect(again.status == 0 && again.errors == "node 1 is running already\n", "\(again)")

        kill(try processID(folder), SIGKILL)
        try await wait { try await !local("status", folder).output.contains(" serving ") }
        let died = try await local("status", folder)
        #expect(died.status == 2 && died.output.contains(" died "), "\(died)")
        let stop = try await local("stop", folder)
        #expect(stop.status == 1 && stop.output.contains(" stopped "), "\(stop)")
        #expect(stop.errors.hasPrefix("millrace: node 1 had died before: its log is "))
        #expect(try await local("stop", folder).status == 0, "it is stopped, and was told of")

        try #require(try await local("start", folder).status == 0)
        let process = try processID(folder)
        kill(process, SIGSTOP)
        // Asked while it cannot answer, it is killed before it can close its logs.
        async let stopping = local("stop", folder)
        // SIGTERM is the 15th bit of what waits for the process.
        try await wait {
            try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
                .contains("ShdPnd:\t0000000000004000")
        }
        kill(process, SIGKILL)
        let unclean = try await stopping
        #expect(unclean.status == 1, "\(unclean)")
        #expect(unclean.errors.contains("millrace: node 1 did not stop cleanly"), "\(unclean)")
        try #require(try await local("start", folder).status == 0)
        let clean = try await local("stop", folder)
        #expect(clean.status == 0 && clean.errors.isEmpty, "\(clean)")

        try #require(try await local("start", folder).status == 0)
        kill(try processID(folder), SIGKILL)
        try await wait { try await !local("status", folder).output.contains(" serving ") }
        let removed = try await local("down", folder, "--delete")
        #expect(removed.status == 0, "\(removed)")
        #expect(
            removed.errors.hasPrefix(
                "Stopped and removed.\nmillrace: node 1 had died before: its log ended with \""),
            "\(removed)")
        #expect(!FileManager.default.fileExists(atPath: folder.path))
    }

    @Test func aFolderThatIsNoClusterIsRefusedByEveryVerb() async throws {
        let folder = try Program.temporaryFolder("local")
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data().write(to: folder.appending(path: "notes.txt"))
        for verb in ["down", "status", "start", "stop", "kill"] {
            let result = try await local(verb, folder)
            #expect(result.status == 1 && result.output.isEmpty, "\(verb)")
            #expect(
                result.errors == "millrace: \(folder.path) holds no local cluster: "
                    + "millrace local up --dir \(folder.path) makes one\n")
        }
        let up = try await local("up", folder)
        #expect(up.status == 1, "\(up)")
        #expect(
            up.errors == "millrace: \(folder.path) is not empty (notes.txt): give an empty or new "
                + "directory\n")
    }

    @Test func aSettingThatIsRefusedLeavesTheDirectoryEmpty() async throws {
        let folder = try Program.temporaryFolder("local")
        defer { try? FileManager.default.removeItem(at: folder) }
        let up = try await local("up", folder, "--config", "num.partitons=3")
        #expect(up.status == 1)
        #expect(up.errors.contains("num.partitions"), "the nearest name: \(up.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        let tls = try await local("up", folder, "--tls", "--config", "num.partitons=3")
        #expect(tls.status == 1 && tls.errors.contains("num.partitions"), "\(tls)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
}
