import Foundation
import TestSupport
import Testing

/// `millrace storage` as a person calls it: done, refused with one line, or wrongly used.
struct StorageCommandTests {
    private let settings = [
        "process.roles=broker,controller", "node.id=1", "listeners=PLAINTEXT://127.0.0.1:0",
    ]

    private func storage(_ verb: String, data: String, _ more: String...) async throws
        -> ProgramResult
    {
        let overrides = (settings + ["log.dirs=\(data)"]).flatMap { ["--override", $0] }
        return try await Program.run(Program.millrace, ["storage", verb] + overrides + more)
    }

    private func isRefused(
        _ result: ProgramResult, _ words: [String], status: Int32 = 1,
        at location: SourceLocation = #_sourceLocation
    ) {
        #expect(result.status == status && result.output.isEmpty, sourceLocation: location)
        #expect(result.errors.hasPrefix("millrace: "), sourceLocation: location)
        #expect(result.errors.filter { $0 == "\n" }.count == 1, sourceLocation: location)
        for word in words {
            #expect(result.errors.contains(word), "\(result.errors)", sourceLocation: location)
        }
    }

    @Test func aDirectoryIsFormattedOnceAndShown() async throws {
        let folder = try Program.temporaryFolder("storage")
        defer { try? FileManager.default.removeItem(at: folder) }
        let data = folder.path + "/data"
        let before = try await storage("info", data: data)
        #expect(before.status == 2 && before.output.contains("not formatted"), "\(before)")
        let uuid = try await Program.run(Program.millrace, ["storage", "random-uuid"])
        let id = uuid.output.trimmingCharacters(in: .newlines)
        #expect(uuid.status == 0 && id.contains(/^[A-Za-z0-9_-]{22}$/))
        let made = try await storage("format", data: data, "--cluster-id", id, "-o", "json")
        #expect(made.status == 0 && made.output.contains("\"cluster_id\": \"\(id)\""), "\(made)")
        let info = try await storage("info", data: data)
        #expect(info.status == 0 && info.output.contains(id), "\(info)")

        isRefused(try await storage("format", data: data), [data, "is formatted already"])
        let again = try await storage("format", data: data, "--ignore-formatted")
        #expect(again.status == 0, "\(again)")
        isRefused(
            try await storage(
                "format", data: data, "--ignore-formatted", "--cluster-id", "another"),
            ["belong to cluster \(id), not another"])
    }

    @Test func whatCannotBeReadOrIsNoIdIsRefused() async throws {
        let folder = try Program.temporaryFolder("storage")
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.path + "/file"
        try Data().write(to: URL(fileURLWithPath: file))
        // A file where a folder is expected cannot be read by anybody, not even by root.
        isRefused(try await storage("format", data: file + "/data"), [file, "Not a directory"])
        let info = try await storage("info", data: file + "/data")
        #expect(info.status == 2 && info.output.contains("Not a directory"), "\(info)")
        let data = folder.path + "/data"
        isRefused(
            try await storage("format", data: data, "--cluster-id", "a b"), ["no id"], status: 64)
        isRefused(
            try await storage("format", data: data, "--cluster"), ["--cluster-id"], status: 64)
        isRefused(
            try await Program.run(Program.millrace, ["storage", "random-uuid", "x"]),
            ["one argument too many"], status: 64)
        isRefused(
            try await storage("format", data: data, "--config", folder.path + "/none.properties"),
            ["none.properties does not exist"])
        #expect(!FileManager.default.fileExists(atPath: data), "nothing was made")
    }
}
