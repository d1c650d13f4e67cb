package import MillraceClientCore
package import MillraceProtocol

/// A topic to be made.
package struct NewTopic: Sendable {
    package var name: String
    /// −1: as the broker says.
    package var partitions: Int32
    /// −1: as the broker says.
    package var replicationFactor: Int16
    package var configs: [(name: String, value: String?)]

    package init(
        _ name: String, partitions: Int32 = -1, replicationFactor: Int16 = -1,
        configs: [(name: String, value: String?)] = []
    ) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.configs = configs
    }
}

/// Topics and their partitions.
extension Admin {
    /// Makes topics, or with `validateOnly` says what would come of it.
    /// - Returns: the answer for each.
    package func createTopics(
        _ topics: [NewTopic], validateOnly: Bool = false
    ) async throws(ClientError) -> [CreateTopicsResponse.Topic] {
        var request = CreateTopicsRequest()
        request.timeoutMs = timeoutMs
        request.validateOnly = validateOnly
        request.topics = topics.map { new in
            var topic = CreateTopicsRequest.Topic()
            topic.name = new.name
            topic.numPartitions = new.partitions
            topic.replicationFactor = new.replicationFactor
            topic.configs = new.configs.map { entry in
                var config = CreateTopicsRequest.Topic.Config()
                (config.name, config.value) = (entry.name, entry.value)
                return config
            }
            return topic
        }
        return try await ask(request, .createTopics, as: CreateTopicsResponse.self).topics
    }

    /// Makes one topic.
    package func createTopic(_ topic: NewTopic) async throws(ClientError) {
        for answer in try await createTopics([topic]) {
            try Self.check(answer.errorCode, answer.errorMessage)
        }
    }

    /// Deletes topics.
    /// - Returns: the answer for each.
    package func deleteTopics(
        _ names: [String]
    ) async throws(ClientError) -> [DeleteTopicsResponse.Response] {
        var request = DeleteTopicsRequest()
        request.timeoutMs = timeoutMs
        request.topics = names.map { name in
            var topic = DeleteTopicsRequest.Topic()
            topic.name = name
            return topic
        }
        return try await ask(request, .deleteTopics, as: DeleteTopicsResponse.self).responses
    }

    /// All topics as Metadata tells them.
    package func listTopics() async throws(ClientError) -> [MetadataResponse.Topic] {
        try await topics(nil, creating: false)
    }

    /// These topics.
    /// - Parameter creating: whether the broker may make those that are not there.
    /// - Returns: the answer for each.
    package func describeTopics(
        _ names: [String], creating: Bool = false
    ) async throws(ClientError) -> [MetadataResponse.Topic] {
        try await topics(names, creating: creating)
    }

    private func topics(
        _ names: [String]?, creating: Bool
    ) async throws(ClientError) -> [MetadataResponse.Topic] {
        var request = MetadataRequest()
        request.allowAutoTopicCreation = creating
        request.topics = names?.map { name in
            var topic = MetadataRequest.Topic()
            topic.name = name
            return topic
        }
        return try await ask(request, .metadata, as: MetadataResponse.self).topics
    }

    /// Raises the number of a topic's partitions to `count`.
    package func createPartitions(
        _ topic: String, count: Int32, validateOnly: Bool = false
    ) async throws(ClientError) {
        var entry = CreatePartitionsRequest.Topic()
        entry.name = topic
        entry.count = count
        entry.assignments = nil
        var request = CreatePartitionsRequest()
        request.topics = [entry]
        request.timeoutMs = timeoutMs
        request.validateOnly = validateOnly
        let answer = try await ask(request, .createPartitions, as: CreatePartitionsResponse.self)
        for result in answer.results { try Self.check(result.errorCode, result.errorMessage) }
    }
}
