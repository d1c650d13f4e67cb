package import Foundation
package import Testing

/// A node that `millrace local up` started in a folder of its own, with free ports.
package struct LocalNode: Sendable {
    /// What `local up -o json` prints.
    package struct Description: Decodable, Sendable {
        package struct Bootstrap: Decodable, Sendable {
            package var plaintext: String
            package var tls: String?
        }
        package struct Node: Decodable, Sendable {
            package var id: Int32
            package var pid: Int32
            package var pidFile: String
            package var dataDir: String
            package var logFile: String
            package var ports: [Int]
        }
        package var bootstrap: Bootstrap
        package var ca: String?
        package var nodes: [Node]
    }

    package var folder: URL
    package var description: Description

    /// The node of the running suite (`.localNode`).
    @TaskLocal package static var current: LocalNode?

    package var plaintext: String { description.bootstrap.plaintext }
    package var tls: String { description.bootstrap.tls ?? "" }
    package var ca: String { description.ca ?? "" }

    /// Starts a node and waits until it serves.
    package static func start(tls: Bool = true, config: [String] = []) async throws -> LocalNode {
        let folder = try Program.temporaryFolder("node")
        var arguments = ["local", "up", "--dir", folder.path, "-o", "json"]
        if tls { arguments.append("--tls") }
        for setting in config { arguments += ["--config", setting] }
        let result = try await Program.run(Program.millrace, arguments, timeout: .seconds(60))
        try #require(result.status == 0, "local up: \(result.errors)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let description = try decoder.decode(
            Description.self, from: Data(result.output.utf8))
        return LocalNode(folder: folder, description: description)
    }

    /// Runs another verb of `local` on this node's folder.
    @discardableResult
    package func local(_ verb: String, _ more: String...) async throws -> ProgramResult {
        let result = try await Program.run(
            Program.millrace, ["local", verb, "--dir", folder.path] + more, timeout: .seconds(60))
        try #require(result.status == 0, "local \(verb): \(result.errors)")
        return result
    }

    /// The process id as it is now: it changes with each start.
    package func processID() throws -> Int32 {
        let text = try String(contentsOfFile: description.nodes[0].pidFile, encoding: .utf8)
        return try #require(
            Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)), "a pid file holds a number"
        )
    }

    /// Stops the node and removes its folder.
    package func remove() async {
        _ = try? await Program.run(
            Program.millrace, ["local", "down", "--dir", folder.path], timeout: .seconds(60))
        try? FileManager.default.removeItem(at: folder)
    }
}

/// Gives a suite one node for all its tests.
package struct LocalNodeTrait: SuiteTrait, TestTrait, TestScoping {
    package var tls: Bool
    package var config: [String]

    @concurrent package func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        let node = try await LocalNode.start(tls: tls, config: config)
        do {
            try await LocalNode.$current.withValue(node) { try await function() }
        } catch {
            await node.remove()
            throw error
        }
        await node.remove()
    }
}

extension Trait where Self == LocalNodeTrait {
    /// One node for the suite, with a TLS listener beside the plaintext one.
    package static func localNode(tls: Bool = true, config: [String] = []) -> Self {
        LocalNodeTrait(tls: tls, config: config)
    }
}
