import Foundation
import MillraceBase
import MillraceProtocol
import TestSupport
import Testing

/// Random bodies, read and written by kafka-python: its codec and ours agree on each byte.
struct KafkaPythonTests {
    private static let samples = 3

    private struct Sample {
        var place: String
        var line: String
        var hex: String
    }

    private func samples() -> [Sample] {
        var sampler = MessageSampler(seed: 0x7079)
        sampler.addsUnknownTags = false  // it drops them
        var samples: [Sample] = []
        for schema in SchemaMessage.all where ["request", "response"].contains(schema.kind) {
            for version in schema.versions {
                for _ in 0..<Self.samples {
                    let hex = Hex.text(sampler.body(of: schema, version: version))
                    samples.append(
                        Sample(
                            place: "\(schema.name) \(version)",
                            line: "\(schema.kind) \(schema.key) \(version) \(hex)\n", hex: hex))
                }
            }
        }
        return samples
    }

    /// - Parameter exceptions: where kafka-python itself differs from the protocol.
    private func compare(
        _ python: String, exceptions: Set<String>, atLeast agreeing: Int
    ) async throws {
        let samples = samples()
        let script = Program.root.appending(
            path: "Tests/MillraceProtocolTests/clients/kafka_python_codec.py")
        let result = try await Program.run(
            Program.venv(python), [script.path], input: samples.map(\.line).joined())
        try #require(result.status == 0, "\(result.errors.suffix(2000))")
        let answers = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        try #require(answers.count == samples.count + 1)
        var (agreed, differences) = (0, [String]())
        for (sample, answer) in zip(samples, answers) where answer != "-" {
            if answer == sample.hex {
                agreed += 1
            } else if !exceptions.contains(sample.place) {
                differences.append("\(sample.place): sent \(sample.hex), got \(answer)")
            }
        }
        #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
        #expect(agreed >= agreeing)
    }

    @Test func kafkaPython2AgreesForEachMessageThatItHas() async throws {
        try await compare(
            "kafka-python-2/bin/python",
            exceptions: [
                // Described as inflexible, or without a field, or with its fields in another order.
                "DescribeAclsRequest 2", "DescribeAclsResponse 2", "DescribeConfigsResponse 1",
                "DescribeGroupsResponse 3", "FindCoordinatorResponse 1", "ListOffsetsRequest 4",
                "ListOffsetsRequest 5", "ProduceResponse 8",
                // Forgotten topics cannot be read: a class stands where an object belongs.
                "FetchRequest 7", "FetchRequest 8", "FetchRequest 9", "FetchRequest 10",
                "FetchRequest 11",
            ], atLeast: 400)
    }

    @Test func kafkaPython3AgreesForEachMessageThatItHas() async throws {
        try await compare(
            "clients/bin/python",
            exceptions: [
                // An answer with an error, such as these random ones, is read as version 0.
                "ApiVersionsResponse 1", "ApiVersionsResponse 2", "ApiVersionsResponse 3",
                "ApiVersionsResponse 4",
            ], atLeast: 1500)
    }
}
