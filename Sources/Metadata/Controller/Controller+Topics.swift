internal import MillraceBase
internal import MillraceProtocol

// CreatePartitions and DeleteTopics.
extension Controller {
    func createPartitions(
        _ request: CreatePartitionsRequest, _ context: DecisionContext,
        _ random: inout some RandomNumberGenerator
    ) -> Decision {
        var counts: [String: Int] = [:]
        for topic in request.topics { counts[topic.name, default: 0] += 1 }
        var response = CreatePartitionsResponse()
        var records: [MetadataRecord] = []
        for topic in request.topics {
            guard let count = counts.removeValue(forKey: topic.name) else { continue }
            var result = CreatePartitionsResponse.Result()
            result.name = topic.name
            do throws(Refusal) {
                if count > 1 { throw Refusal(.invalidRequest, "Duplicate topic name.") }
                records += try createPartitions(
                    topic, most: Self.partitionsMax - records.count, context, &random)
            } catch {
                (result.errorCode, result.errorMessage) = (error.code.rawValue, error.text)
            }
            response.results.append(result)
        }
        return Decision(
            records: request.validateOnly ? [] : records, reply: .createPartitions(response))
    }

    private func createPartitions(
        _ request: CreatePartitionsRequest.Topic, most: Int, _ context: DecisionContext,
        _ random: inout some RandomNumberGenerator
    ) throws(Refusal) -> [MetadataRecord] {
        guard let topic = context.image.topic(named: request.name) else {
            throw Refusal(.unknownTopicOrPartition, nil)
        }
        let count = topic.partitions.count
        if Int(request.count) == count {
            throw Refusal(.invalidPartitions, "Topic already has \(count) partition(s).")
        }
        let added = Int(request.count) - count
        guard added > 0 else {
            throw Refusal(
                .invalidPartitions,
                "The topic \(request.name) currently has \(count) partition(s); "
                    + "\(request.count) would not be an increase.")
        }
        if let assignments = request.assignments, assignments.count != added {
            throw Refusal(
                .invalidReplicaAssignment,
                "Attempted to add \(added) additional partition(s), but only "
                    + "\(assignments.count) assignment(s) were specified.")
        }
        guard added <= most else {
            throw Refusal(
                .policyViolation, "Excessively large number of partitions per request.")
        }
        let placer = ReplicaPlacer(image: context.image)
        let replicas = topic.partitions.first?.replicas.count ?? 1
        var partitions: [PartitionImage] = []
        if let assignments = request.assignments {
            for assignment in assignments {
                partitions.append(
                    try placer.assign(
                        assignment.brokerIds, partition: Int32(count + partitions.count),
                        replicas: replicas))
            }
        } else {
            partitions = try placer.place(partitions: added, replicas: replicas, using: &random)
        }
        return partitions.enumerated().map { index, partition in
            .partition(partition.record(of: topic.id, index: Int32(count + index)))
        }
    }

    /// By name or by id. Up to version 5 there are names only.
    func deleteTopics(
        _ request: DeleteTopicsRequest, _ version: Int16, _ context: DecisionContext
    ) -> Decision {
        let asked =
            version >= 6
            ? request.topics
            : request.topicNames.map { name in
                var topic = DeleteTopicsRequest.Topic()
                topic.name = name
                return topic
            }
        var response = DeleteTopicsResponse()
        let repeated = Self.repeated(asked)
        var answered: Set<String> = []
        var deleted = Self.named(asked, repeated, context)
        var records: [MetadataRecord] = []
        for topic in asked {
            var answer = DeleteTopicsResponse.Response()
            (answer.name, answer.topicId) = (topic.name, topic.topicId)
            do throws(Refusal) {
                guard settings.deletesTopics else {
                    throw Refusal(
                        version < 3 ? .invalidRequest : .topicDeletionDisabled,
                        "Topic deletion is disabled.")
                }
                let key = topic.name ?? topic.topicId.description
                if repeated.contains(key) {
                    guard answered.insert(key).inserted else { continue }
                    let what = topic.name == nil ? "id" : "name"
                    throw Refusal(.invalidRequest, "Duplicate topic \(what).")
                }
                let found = try find(topic, context)
                if let count = deleted[found.id], count > 1 {
                    // Named by name and by id: one answer, for both.
                    deleted[found.id] = 0
                    (answer.name, answer.topicId) = (found.name, found.id.uuid)
                    throw Refusal(
                        .invalidRequest,
                        "The provided topic name maps to an ID that was already supplied.")
                }
                guard deleted[found.id] != 0 else { continue }
                (answer.name, answer.topicId) = (found.name, found.id.uuid)
                var record = RemoveTopicRecord()
                record.topicId = found.id.uuid
                records.append(.removeTopic(record))
            } catch {
                (answer.errorCode, answer.errorMessage) = (error.code.rawValue, error.text)
            }
            response.responses.append(answer)
        }
        return Decision(records: records, reply: .deleteTopics(response))
    }

    /// Names and ids that stand in the request more than once.
    private static func repeated(_ topics: [DeleteTopicsRequest.Topic]) -> Set<String> {
        var seen: Set<String> = []
        var repeated: Set<String> = []
        for topic in topics where topic.name != nil || topic.topicId != .zero {
            let key = topic.name ?? topic.topicId.description
            if !seen.insert(key).inserted { repeated.insert(key) }
        }
        return repeated
    }

    /// How often each topic is named, whichever way.
    private static func named(
        _ topics: [DeleteTopicsRequest.Topic], _ repeated: Set<String>, _ context: DecisionContext
    ) -> [TopicID: Int] {
        var counts: [TopicID: Int] = [:]
        for topic in topics where topic.name == nil || topic.topicId == .zero {
            guard !repeated.contains(topic.name ?? topic.topicId.description) else { continue }
            let id = topic.name.map { context.image.topicIDs[$0] } ?? TopicID(topic.topicId)
            if let id { counts[id, default: 0] += 1 }
        }
        return counts
    }

    private func find(
        _ topic: DeleteTopicsRequest.Topic, _ context: DecisionContext
    ) throws(Refusal) -> TopicImage {
        guard let name = topic.name else {
            guard topic.topicId != .zero else {
                throw Refusal(.invalidRequest, "Neither topic name nor id were specified.")
            }
            guard let found = context.image.topics[TopicID(topic.topicId)] else {
                throw Refusal(.unknownTopicId, "This server does not host this topic ID.")
            }
            return found
        }
        guard topic.topicId == .zero else {
            throw Refusal(.invalidRequest, "You may not specify both topic name and topic id.")
        }
        guard let found = context.image.topic(named: name) else {
            throw Refusal(
                .unknownTopicOrPartition, "This server does not host this topic-partition.")
        }
        return found
    }
}
