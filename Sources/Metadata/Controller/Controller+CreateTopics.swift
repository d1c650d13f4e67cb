internal import MillraceBase
internal import MillraceProtocol

// CreateTopics, asked for by a client or because a topic was missing.
extension Controller {
    /// More partitions than this in one request are refused, as by Kafka.
    static let partitionsMax = 10_000

    typealias CreatedTopic = CreateTopicsResponse.Topic

    func createTopics(
        _ request: CreateTopicsRequest, _ context: DecisionContext,
        _ random: inout some RandomNumberGenerator
    ) -> Decision {
        var counts: [String: Int] = [:]
        for topic in request.topics { counts[topic.name, default: 0] += 1 }
        let isExcessive = isExcessive(request.topics.filter { counts[$0.name] == 1 })
        var response = CreateTopicsResponse()
        var records: [MetadataRecord] = []
        var made: Set<String> = []
        for topic in request.topics {
            do throws(Refusal) {
                if let count = counts[topic.name], count > 1 {
                    counts[topic.name] = nil
                    throw Refusal(.invalidRequest, "Duplicate topic name.")
                }
                guard counts[topic.name] != nil else { continue }
                if isExcessive {
                    throw Refusal(
                        .policyViolation, "Excessively large number of partitions per request.")
                }
                try checkName(topic.name, context, made)
                let (answer, changes) = try createTopic(topic, context, &random)
                made.insert(Self.collisionKey(topic.name))
                response.topics.append(answer)
                records += changes
            } catch {
                response.topics.append(Self.refused(topic.name, error))
            }
        }
        return Decision(
            records: request.validateOnly ? [] : records, reply: .createTopics(response))
    }

    private static func refused(_ name: String, _ refusal: Refusal) -> CreatedTopic {
        var topic = CreatedTopic()
        topic.name = name
        topic.errorCode = refusal.code.rawValue
        topic.errorMessage = refusal.text
        return topic
    }

    private func isExcessive(_ topics: [CreateTopicsRequest.Topic]) -> Bool {
        let total = topics.reduce(0) { sum, topic in
            if !topic.assignments.isEmpty { return sum + topic.assignments.count }
            let count = topic.numPartitions == -1 ? settings.partitions : topic.numPartitions
            return sum + Int(max(count, 0))
        }
        return total > Self.partitionsMax
    }

    /// Names that differ only by `.` and `_` would share the names of metrics.
    static func collisionKey(_ name: String) -> String {
        String(name.map { $0 == "." ? "_" : $0 })
    }

    private func checkName(
        _ name: String, _ context: DecisionContext, _ made: Set<String>
    ) throws(Refusal) {
        if name == "__cluster_metadata" {
            throw Refusal(
                .invalidRequest, "Creation of internal topic __cluster_metadata is prohibited.")
        }
        if let refusal = TopicName.refusal(of: name) {
            throw Refusal(.invalidTopicException, refusal)
        }
        if context.image.topicIDs.contains(name) {
            throw Refusal(.topicAlreadyExists, "Topic '\(name)' already exists.")
        }
        guard name.contains(where: { $0 == "." || $0 == "_" }) else { return }
        let key = Self.collisionKey(name)
        // Only names with the same beginning, up to the first such letter, can collide.
        let prefix = String(name.prefix { $0 != "." && $0 != "_" })
        let other = context.image.topicIDs.elements(from: prefix)
            .lazy.prefix { $0.key.hasPrefix(prefix) }
            .first { Self.collisionKey($0.key) == key }
        if let other {
            throw Refusal(
                .invalidTopicException,
                "Topic '\(name)' collides with existing topic: \(other.key)")
        }
        if made.contains(key) {
            throw Refusal(
                .invalidTopicException, "Topic '\(name)' collides with another of the request")
        }
    }

    private func createTopic(
        _ topic: CreateTopicsRequest.Topic, _ context: DecisionContext,
        _ random: inout some RandomNumberGenerator
    ) throws(Refusal) -> (CreatedTopic, [MetadataRecord]) {
        var overrides: [String: String?] = [:]
        for config in topic.configs { overrides[config.name] = .some(config.value) }
        if let refusal = rules.refusal(ofTopic: overrides) {
            throw Refusal(.invalidConfig, refusal)
        }
        let partitions =
            topic.assignments.isEmpty
            ? try placed(topic, context, &random) : try assigned(topic, context)
        let id = TopicID(Uuid.random(using: &random))
        var record = TopicRecord()
        (record.name, record.topicId) = (topic.name, id.uuid)
        var records: [MetadataRecord] = [.topic(record)]
        let resource = ConfigResource(.topic, topic.name)
        let values = overrides.compactMapValues { $0 }
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            records.append(.config(ClusterImage.config(resource, name, value)))
        }
        if values[Self.minInSync] != nil { records.append(Self.clearElr(topic.name)) }
        for (index, partition) in partitions.enumerated() {
            records.append(.partition(partition.record(of: id, index: Int32(index))))
        }
        var answer = CreatedTopic()
        (answer.name, answer.topicId, answer.errorMessage) = (topic.name, id.uuid, nil)
        answer.numPartitions = Int32(partitions.count)
        answer.replicationFactor = Int16(partitions.first?.replicas.count ?? 0)
        answer.configs = rules.described(topic: values)
        return (answer, records)
    }

    private func placed(
        _ topic: CreateTopicsRequest.Topic, _ context: DecisionContext,
        _ random: inout some RandomNumberGenerator
    ) throws(Refusal) -> [PartitionImage] {
        guard topic.replicationFactor >= -1, topic.replicationFactor != 0 else {
            throw Refusal(
                .invalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.")
        }
        guard topic.numPartitions >= -1, topic.numPartitions != 0 else {
            throw Refusal(
                .invalidPartitions,
                "Number of partitions was set to an invalid non-positive value.")
        }
        let count = topic.numPartitions == -1 ? settings.partitions : topic.numPartitions
        let factor =
            topic.replicationFactor == -1 ? settings.replicationFactor : topic.replicationFactor
        let placer = ReplicaPlacer(image: context.image)
        return try placer.place(
            partitions: Int(count), replicas: Int(factor), using: &random)
    }

    private func assigned(
        _ topic: CreateTopicsRequest.Topic, _ context: DecisionContext
    ) throws(Refusal) -> [PartitionImage] {
        guard topic.replicationFactor == -1 else {
            throw Refusal(
                .invalidRequest,
                "A manual partition assignment was specified, but replication factor was not set "
                    + "to -1.")
        }
        guard topic.numPartitions == -1 else {
            throw Refusal(
                .invalidRequest,
                "A manual partition assignment was specified, but numPartitions was not set to -1."
            )
        }
        var byIndex: [Int32: PartitionImage] = [:]
        var factor: Int?
        let placer = ReplicaPlacer(image: context.image)
        for assignment in topic.assignments {
            guard byIndex[assignment.partitionIndex] == nil else {
                throw Refusal(
                    .invalidReplicaAssignment,
                    "Found multiple manual partition assignments for partition "
                        + "\(assignment.partitionIndex)")
            }
            byIndex[assignment.partitionIndex] = try placer.assign(
                assignment.brokerIds, partition: assignment.partitionIndex, replicas: factor)
            factor = assignment.brokerIds.count
        }
        var partitions: [PartitionImage] = []
        for index in 0..<Int32(byIndex.count) {
            guard let partition = byIndex[index] else {
                throw Refusal(
                    .invalidReplicaAssignment,
                    "partitions should be a consecutive 0-based integer sequence")
            }
            partitions.append(partition)
        }
        return partitions
    }

    /// The request that makes missing topics: with the settings' numbers, and Kafka's own topics
    /// as they are to be.
    func missing(_ names: [String]) -> CreateTopicsRequest {
        var request = CreateTopicsRequest()
        request.topics = names.map { name in
            var topic = CreateTopicsRequest.Topic()
            topic.name = name
            (topic.numPartitions, topic.replicationFactor) = (-1, -1)
            if let known = settings.internalTopics[name] {
                topic.numPartitions = known.partitions
                topic.replicationFactor = known.replicationFactor
                topic.configs = known.configs.map {
                    var config = CreateTopicsRequest.Topic.Config()
                    (config.name, config.value) = ($0.name, $0.value)
                    return config
                }
            }
            return topic
        }
        return request
    }
}
