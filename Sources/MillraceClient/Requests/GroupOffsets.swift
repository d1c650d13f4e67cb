package import MillraceProtocol

/// Commits offsets of a group.
package enum GroupOffsets {
    /// - Parameters:
    ///   - generation: −1 for a group without members.
    ///   - member: empty for a group without members.
    /// - Returns: the error of each partition, `.none` where it was taken.
    package static func commit(
        _ client: RequestClient, to coordinator: RequestClient.Target, group: String,
        generation: Int32, member: String, _ offsets: [ListOffsets.Partition: Int64]
    ) throws(RequestError) -> [ListOffsets.Partition: ErrorCode] {
        var request = OffsetCommitRequest()
        request.groupId = group
        request.generationIdOrMemberEpoch = generation
        request.memberId = member
        for (key, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            if request.topics.last?.name != key.topic {
                var topic = OffsetCommitRequest.Topic()
                topic.name = key.topic
                request.topics.append(topic)
            }
            var partition = OffsetCommitRequest.Topic.Partition()
            partition.partitionIndex = key.partition
            partition.committedOffset = offset
            request.topics[request.topics.count - 1].partitions.append(partition)
        }
        // From version 10 on topics have ids instead of names.
        let answer = try client.ask(
            request, .offsetCommit, as: OffsetCommitResponse.self, of: coordinator, versionMax: 9)
        var errors: [ListOffsets.Partition: ErrorCode] = [:]
        for topic in answer.body.topics {
            for partition in topic.partitions {
                errors[.init(topic.name, partition.partitionIndex)] = ErrorCode(
                    rawValue: partition.errorCode)
            }
        }
        return errors
    }
}
