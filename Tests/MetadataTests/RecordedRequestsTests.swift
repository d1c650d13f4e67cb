import Metadata
import MillraceBase
import MillraceProtocol
import Testing

/// Requests that Kafka was asked, and its answers: the controller gives the same codes and texts.
@Suite struct RecordedRequestsTests {
    private struct Step {
        var api: String
        var version: Int16
        var request: [UInt8]
        var response: [UInt8]

        func read<T: Message>(_: T.Type) throws -> T {
            let isRequest = T.schema.kind == .request
            return try (isRequest ? request : response).withUnsafeBytes { bytes in
                var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[4...]))
                if isRequest {
                    _ = try RequestHeader.read(from: &reader)
                } else {
                    let flexible = T.schema.isFlexible(version)
                    _ = try ResponseHeader(from: &reader, version: flexible ? 1 : 0)
                }
                return try T(from: &reader, version: version)
            }
        }
    }

    private static let scenarios: [String: [Step]] = {
        var scenarios: [String: [Step]] = [:]
        for line in (try? Vectors.lines("control.tsv")) ?? [] {
            let parts = line.split(separator: "\t")
            scenarios[String(parts[0]), default: []].append(
                Step(
                    api: String(parts[1]), version: Int16(parts[2]) ?? -1,
                    request: Vectors.bytes(hex: parts[3]),
                    response: Vectors.bytes(hex: parts[4])))
        }
        return scenarios
    }()

    @Test(arguments: scenarios.keys.sorted())
    func theControllerAnswersAsKafkaDid(scenario: String) throws {
        let three = scenario.hasPrefix("three-")
        var cluster = try Cluster(
            brokers: three ? 3 : 1, replicationFactor: three ? 3 : 1)
        for (index, step) in (Self.scenarios[scenario] ?? []).enumerated() {
            let (ours, theirs) = try answers(step, &cluster)
            #expect(ours.sorted() == theirs.sorted(), "\(scenario), step \(index)")
        }
    }

    @Test func thereAreScenarios() { #expect(Self.scenarios.count >= 15) }

    private func line(_ name: String?, _ code: Int16, _ text: String?) -> String {
        "\(name ?? "nil") \(ErrorCode(rawValue: code)) \(text ?? "-")"
    }

    private func answers(_ step: Step, _ cluster: inout Cluster) throws -> ([String], [String]) {
        switch step.api {
        case "CreateTopics": return try createTopics(step, &cluster)
        case "DeleteTopics":
            let request = try step.read(DeleteTopicsRequest.self)
            let reply = try cluster.ask(.deleteTopics(request, version: step.version))
            guard case .deleteTopics(let ours) = reply else { return ([], ["no answer"]) }
            let theirs = try step.read(DeleteTopicsResponse.self)
            return (
                ours.responses.map { deleted($0, step) }, theirs.responses.map { deleted($0, step) }
            )
        case "CreatePartitions":
            let request = try step.read(CreatePartitionsRequest.self)
            guard case .createPartitions(let ours) = try cluster.ask(.createPartitions(request))
            else { return ([], ["no answer"]) }
            let theirs = try step.read(CreatePartitionsResponse.self)
            return (
                ours.results.map { line($0.name, $0.errorCode, $0.errorMessage) },
                theirs.results.map { line($0.name, $0.errorCode, $0.errorMessage) }
            )
        case "AlterConfigs":
            let request = try step.read(AlterConfigsRequest.self)
            guard case .alterConfigs(let ours) = try cluster.ask(.alterConfigs(request))
            else { return ([], ["no answer"]) }
            let theirs = try step.read(AlterConfigsResponse.self)
            return (
                ours.responses.map { line($0.resourceName, $0.errorCode, $0.errorMessage) },
                theirs.responses.map { line($0.resourceName, $0.errorCode, $0.errorMessage) }
            )
        default: return try incrementalAlterConfigs(step, &cluster)
        }
    }

    /// Texts come from version 5, ids from 6.
    private func deleted(_ answer: DeleteTopicsResponse.Response, _ step: Step) -> String {
        let text = step.version >= 5 ? answer.errorMessage : nil
        let id = step.version >= 6 ? "\(answer.topicId) " : ""
        return id + line(answer.name, answer.errorCode, text)
    }

    private func createTopics(
        _ step: Step, _ cluster: inout Cluster
    ) throws -> ([String], [String]) {
        let theirs = try step.read(CreateTopicsResponse.self)
        let request = try step.read(CreateTopicsRequest.self)
        let decision = cluster.decide(.createTopics(request), &cluster.random)
        guard case .createTopics(let ours) = decision.reply else { return ([], ["no answer"]) }
        // The topics get the ids that Kafka gave them: later requests name them.
        var ids: [Uuid: Uuid] = [:]
        for topic in ours.topics where topic.errorCode == 0 {
            let recorded = theirs.topics.first { $0.name == topic.name }?.topicId ?? .zero
            ids[topic.topicId] = recorded == .zero ? topic.topicId : recorded
        }
        try cluster.replay(
            decision.records.map { record in
                switch record {
                case .topic(var topic):
                    topic.topicId = ids[topic.topicId] ?? topic.topicId
                    return .topic(topic)
                case .partition(var partition):
                    partition.topicId = ids[partition.topicId] ?? partition.topicId
                    return .partition(partition)
                default: return record
                }
            })
        func describe(_ topic: CreateTopicsResponse.Topic) -> String {
            let counts =
                step.version >= 5 ? "\(topic.numPartitions)x\(topic.replicationFactor) " : ""
            return counts + line(topic.name, topic.errorCode, topic.errorMessage)
        }
        return (ours.topics.map(describe), theirs.topics.map(describe))
    }

    private func incrementalAlterConfigs(
        _ step: Step, _ cluster: inout Cluster
    ) throws -> ([String], [String]) {
        let theirs = try step.read(IncrementalAlterConfigsResponse.self)
        let request = try step.read(IncrementalAlterConfigsRequest.self)
        // What a broker sees to before the controller is asked.
        let brokers = [
            "Each resource must appear at most once.", "Error due to duplicate config keys",
        ]
        if theirs.responses.contains(where: { brokers.contains($0.errorMessage ?? "") }) {
            return ([], [])
        }
        let reply = try cluster.ask(.incrementalAlterConfigs(request))
        guard case .incrementalAlterConfigs(let ours) = reply else { return ([], ["no answer"]) }
        // An operation that is none: an exception that nothing in Kafka caught.
        if theirs.responses.first?.errorCode == -1 {
            #expect(ours.responses.first?.errorCode == ErrorCode.invalidRequest.rawValue)
            return ([], [])
        }
        return (
            ours.responses.map { line($0.resourceName, $0.errorCode, $0.errorMessage) },
            theirs.responses.map { line($0.resourceName, $0.errorCode, $0.errorMessage) }
        )
    }
}
