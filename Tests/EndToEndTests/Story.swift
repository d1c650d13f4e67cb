import Foundation
import TestSupport
import Testing

/// A script of `clients/` that starts a node of its own, in a folder of its own, and prints
/// `…: ok` at its end.
enum Story {
    static func run(
        _ script: String, _ arguments: [String] = [], timeout: Duration = .seconds(120)
    ) async throws {
        let folder = try Program.temporaryFolder("story")
        defer { try? FileManager.default.removeItem(at: folder) }  // nothing depends on its removal
        let path = "Tests/EndToEndTests/clients/\(script)"
        let result = try await Program.run(
            Program.venv("clients/bin/python"),
            [
                Program.root.appending(path: path).path,
                "--millrace", Program.millrace.path, "--dir", folder.path,
            ] + arguments, timeout: timeout)
        let story = "\(result.output.suffix(3000))\n\(result.errors.suffix(2000))"
        try #require(!result.timedOut, "it hangs: \(story)")
        try #require(result.status == 0 && result.output.contains(": ok"), "\(story)")
    }
}
