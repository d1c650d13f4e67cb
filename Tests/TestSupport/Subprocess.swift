package import Foundation

/// How a program ended, and what it wrote.
package struct ProgramResult: Sendable {
    package var status: Int32
    package var output: String
    package var errors: String
    package var timedOut: Bool
}

/// Runs programs for tests without holding a thread of the tests' pool while they run.
package enum Program {
    /// The checkout's root.
    package static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The executable of the same build as the running tests.
    package static let millrace: URL = {
        // The link names the test bundle: the executable lies beside it.
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = URL(fileURLWithPath: own).deletingLastPathComponent().appending(
            path: "millrace")
        guard !FileManager.default.isExecutableFile(atPath: beside.path) else { return beside }
        let release = root.appending(path: ".build/release/millrace")
        return FileManager.default.isExecutableFile(atPath: release.path)
            ? release : root.appending(path: ".build/debug/millrace")
    }()

    /// A file of an installed Python environment, such as `clients/bin/python`.
    package static func venv(_ path: String) -> URL { root.appending(path: ".venv/\(path)") }

    /// A new empty folder, for the caller to remove.
    package static func temporaryFolder(_ name: String) throws -> URL {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "millrace-\(name)-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// Runs a program to its end, or ends it (by its own process id) after `timeout`.
    package static func run(
        _ executable: URL, _ arguments: [String], input: String? = nil,
        environment: [String: String] = [:], timeout: Duration = .seconds(120)
    ) async throws -> ProgramResult {
        let folder = try temporaryFolder("run")
        defer { try? FileManager.default.removeItem(at: folder) }  // nothing depends on its removal
        let (out, err) = (folder.appending(path: "out"), folder.appending(path: "err"))
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        for file in [out, err] {
            _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        }
        process.standardOutput = try FileHandle(forWritingTo: out)
        process.standardError = try FileHandle(forWritingTo: err)
        if let input {
            let file = folder.appending(path: "in")
            try Data(input.utf8).write(to: file)
            process.standardInput = try FileHandle(forReadingFrom: file)
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        let timedOut = try await finish(process, timeout: timeout)
        return ProgramResult(
            status: process.terminationReason == .exit ? process.terminationStatus : -1,
            output: String(decoding: try Data(contentsOf: out), as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: err), as: UTF8.self), timedOut: timedOut)
    }

    private static func finish(_ process: Process, timeout: Duration) async throws -> Bool {
        let (ended, continuation) = AsyncStream.makeStream(of: Void.self)
        process.terminationHandler = { _ in continuation.finish() }
        try process.run()
        let identifier = process.processIdentifier
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await _ in ended {}
                return false
            }
            group.addTask {
                // Cancelled when the program ends first.
                guard (try? await Task.sleep(for: timeout)) != nil else { return false }
                kill(identifier, SIGKILL)
                return true
            }
            let timedOut = await group.next() ?? false
            if timedOut { for await _ in ended {} }
            group.cancelAll()
            return timedOut
        }
    }
}
