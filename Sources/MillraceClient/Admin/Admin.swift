package import MillraceBase
package import MillraceClientCore
internal import MillraceNet
package import MillraceProtocol

/// Asks and changes a cluster. Any task may use it. Each call sends once, to the broker that
/// decides, and throws what that refused; coordinators that are still being made are waited for.
package final class Admin: Sendable {
    private let thread: ClientThread<AdminDriver>
    private let timeoutMs: Int32

    private init(thread: ClientThread<AdminDriver>, timeoutMs: Int32) {
        self.thread = thread
        self.timeoutMs = timeoutMs
    }

    /// Starts a client; it connects with the first call.
    /// - Throws: `.settings`.
    package static func open(_ client: ClientSettings) async throws(ClientError) -> Admin {
        let thread = try await ClientThread<AdminDriver>.start(name: "admin") {
            loop throws(ClientError) in
            AdminDriver(try Router(loop, client), timeout: client.requestTimeout)
        }
        let milliseconds = client.requestTimeout / .milliseconds(1)
        return Admin(thread: thread, timeoutMs: Int32(min(max(milliseconds, 1), 1e9)))
    }

    /// Ends connections and thread. Nothing may be asked afterwards.
    package func close() async {
        await withCheckedContinuation { (closed: CheckedContinuation<Void, Never>) in
            thread.post {
                $0.close()
                closed.resume()
            }
        }
        thread.stop()
    }

    /// Any request and its answer, whose error codes are the caller's to read.
    package func ask<Answer: Message>(
        _ request: any Message, _ api: ApiKey, as _: Answer.Type = Answer.self,
        of target: RequestTarget = .any
    ) async throws(ClientError) -> Answer {
        let result = await withCheckedContinuation {
            (answered: CheckedContinuation<Result<Answer, ClientError>, Never>) in
            thread.post { driver in
                driver.ask(request, api, target) { answered.resume(returning: $0) }
            }
        }
        return try result.get()
    }

    /// - Throws: `.refused` unless `code` is 0.
    static func check(_ code: Int16, _ message: String?) throws(ClientError) {
        guard code != 0 else { return }
        throw .refused(ErrorCode(rawValue: code), message ?? "")
    }

    // MARK: topics

    /// Makes a topic.
    /// - Parameters:
    ///   - partitions: −1 for the broker's default, as `replicationFactor`.
    package func createTopic(
        _ name: String, partitions: Int32 = -1, replicationFactor: Int16 = -1,
        configs: [(name: String, value: String?)] = [], validateOnly: Bool = false
    ) async throws(ClientError) {
        var topic = CreateTopicsRequest.Topic()
        topic.name = name
        topic.numPartitions = partitions
        topic.replicationFactor = replicationFactor
        topic.configs = configs.map { entry in
            var config = CreateTopicsRequest.Topic.Config()
            config.name = entry.name
            config.value = entry.value
            return config
        }
        var request = CreateTopicsRequest()
        request.topics = [topic]
        request.timeoutMs = timeoutMs
        request.validateOnly = validateOnly
        let answer = try await ask(request, .createTopics, as: CreateTopicsResponse.self)
        for topic in answer.topics { try Self.check(topic.errorCode, topic.errorMessage ?? name) }
    }

    /// Deletes topics; the first refusal is thrown, the others may be gone.
    package func deleteTopics(_ names: [String]) async throws(ClientError) {
        var request = DeleteTopicsRequest()
        request.timeoutMs = timeoutMs
        request.topics = names.map { name in
            var topic = DeleteTopicsRequest.Topic()
            topic.name = name
            return topic
        }
        let answer = try await ask(request, .deleteTopics, as: DeleteTopicsResponse.self)
        for topic in answer.responses {
            try Self.check(topic.errorCode, topic.errorMessage ?? topic.name)
        }
    }

    /// All topics as Metadata tells them.
    package func listTopics() async throws(ClientError) -> [MetadataResponse.Topic] {
        var request = MetadataRequest()
        request.topics = nil
        request.allowAutoTopicCreation = false
        return try await ask(request, .metadata, as: MetadataResponse.self).topics
    }

    /// These topics; a topic that is not there is thrown.
    package func describeTopics(
        _ names: [String]
    ) async throws(ClientError) -> [MetadataResponse.Topic] {
        var request = MetadataRequest()
        request.allowAutoTopicCreation = false
        request.topics = names.map { name in
            var topic = MetadataRequest.Topic()
            topic.name = name
            return topic
        }
        let answer = try await ask(request, .metadata, as: MetadataResponse.self)
        for topic in answer.topics { try Self.check(topic.errorCode, topic.name) }
        return answer.topics
    }

    /// Raises the number of a topic's partitions to `count`.
    package func createPartitions(_ topic: String, count: Int32) async throws(ClientError) {
        var entry = CreatePartitionsRequest.Topic()
        entry.name = topic
        entry.count = count
        entry.assignments = nil
        var request = CreatePartitionsRequest()
        request.topics = [entry]
        request.timeoutMs = timeoutMs
        let answer = try await ask(request, .createPartitions, as: CreatePartitionsResponse.self)
        for result in answer.results {
            try Self.check(result.errorCode, result.errorMessage ?? topic)
        }
    }

    // MARK: configuration and cluster

    /// The settings of a topic (type 2), broker (4), group (32).
    package func describeConfigs(
        type: Int8, name: String
    ) async throws(ClientError) -> [DescribeConfigsResponse.Result.Config] {
        var resource = DescribeConfigsRequest.Resource()
        resource.resourceType = type
        resource.resourceName = name
        resource.configurationKeys = nil
        var request = DescribeConfigsRequest()
        request.resources = [resource]
        request.includeSynonyms = true
        let answer = try await ask(request, .describeConfigs, as: DescribeConfigsResponse.self)
        guard let result = answer.results.first else {
            throw .malformed("an answer without the resource")
        }
        try Self.check(result.errorCode, result.errorMessage ?? name)
        return result.configs
    }

    /// Changes settings of one resource. Operations: 0 set, 1 delete, 2 append, 3 subtract.
    package func alterConfigs(
        type: Int8, name: String, _ changes: [(key: String, operation: Int8, value: String?)]
    ) async throws(ClientError) {
        var resource = IncrementalAlterConfigsRequest.Resource()
        resource.resourceType = type
        resource.resourceName = name
        resource.configs = changes.map { change in
            var config = IncrementalAlterConfigsRequest.Resource.Config()
            config.name = change.key
            config.configOperation = change.operation
            config.value = change.value
            return config
        }
        var request = IncrementalAlterConfigsRequest()
        request.resources = [resource]
        let answer = try await ask(
            request, .incrementalAlterConfigs, as: IncrementalAlterConfigsResponse.self)
        for result in answer.responses {
            try Self.check(result.errorCode, result.errorMessage ?? name)
        }
    }

    /// The cluster's id, controller and brokers.
    package func describeCluster() async throws(ClientError) -> DescribeClusterResponse {
        let answer = try await ask(
            DescribeClusterRequest(), .describeCluster, as: DescribeClusterResponse.self)
        try Self.check(answer.errorCode, answer.errorMessage)
        return answer
    }

    /// The log directories of a broker, with the size of each partition.
    package func describeLogDirs(
        of node: NodeID
    ) async throws(ClientError) -> [DescribeLogDirsResponse.Result] {
        _ = try await listTopics()
        var request = DescribeLogDirsRequest()
        request.topics = nil
        let answer = try await ask(
            request, .describeLogDirs, as: DescribeLogDirsResponse.self, of: .node(node))
        try Self.check(answer.errorCode, nil)
        return answer.results
    }
}
