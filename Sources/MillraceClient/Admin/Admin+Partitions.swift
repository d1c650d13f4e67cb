package import MillraceBase
package import MillraceClientCore
internal import MillraceProtocol

/// What only a partition's leader can say or do. Each partition has its own outcome: one without a
/// leader does not hide what the others' leaders say.
extension Admin {
    package typealias Offsets = [NamedPartition: Result<Offset, ClientError>]

    /// The offset at a position of each partition: of the first record, after the last, or of the
    /// first one of a time (`none` if there is none).
    package func listOffsets(
        _ wanted: [NamedPartition: StartPosition]
    ) async throws(ClientError) -> Offsets {
        try await askLeaders(Array(wanted.keys), .listOffsets) { partitions in
            ListOffsetsRequest(partitions.map { ($0, wanted[$0] ?? .latest) })
        } read: { (answer: ListOffsetsResponse) in
            answer.topics.flatMap { topic in
                topic.partitions.map { part in
                    let name = NamedPartition(topic.name, part.partitionIndex)
                    return (name, Self.offset(part.offset, part.errorCode, name))
                }
            }
        }
    }

    /// Deletes the records before an offset (−1: all that there are).
    /// - Returns: the first offset that is left.
    package func deleteRecords(
        before offsets: [NamedPartition: Offset]
    ) async throws(ClientError) -> Offsets {
        try await askLeaders(Array(offsets.keys), .deleteRecords) { partitions in
            var request = DeleteRecordsRequest()
            request.timeoutMs = timeoutMs
            let items = partitions.map { ($0, offsets[$0] ?? .none) }
            request.topics = PartitionList.byTopic(items).map { name, partitions in
                var topic = DeleteRecordsRequest.Topic()
                topic.name = name
                topic.partitions = partitions.map { index, offset in
                    var partition = DeleteRecordsRequest.Topic.Partition()
                    partition.partitionIndex = index
                    partition.offset = offset.rawValue
                    return partition
                }
                return topic
            }
            return request
        } read: { (answer: DeleteRecordsResponse) in
            answer.topics.flatMap { topic in
                topic.partitions.map { part in
                    let name = NamedPartition(topic.name, part.partitionIndex)
                    return (name, Self.offset(part.lowWatermark, part.errorCode, name))
                }
            }
        }
    }

    /// Asks each leader about its partitions.
    private func askLeaders<Answer: Message>(
        _ partitions: [NamedPartition], _ api: ApiKey,
        _ request: ([NamedPartition]) -> any Message,
        read: (Answer) -> [(NamedPartition, Result<Offset, ClientError>)]
    ) async throws(ClientError) -> Offsets {
        var (leaders, outcomes) = try await byLeader(partitions)
        for (node, own) in leaders {
            let answer: Answer = try await ask(request(own), api, of: .node(node))
            for (partition, outcome) in read(answer) { outcomes[partition] = outcome }
        }
        return outcomes
    }

    private static func offset(
        _ offset: Int64, _ code: Int16, _ partition: NamedPartition
    ) -> Result<Offset, ClientError> {
        let error = ErrorCode(rawValue: code)
        return error == .none ? .success(Offset(offset)) : .failure(.refused(error, "\(partition)"))
    }

    /// Partitions by their leaders, both in order, and those that have none, with the reason.
    private func byLeader(
        _ partitions: [NamedPartition]
    ) async throws(ClientError) -> ([(NodeID, [NamedPartition])], Offsets) {
        var leaders: [NamedPartition: NodeID] = [:]
        for topic in try await describeTopics(Set(partitions.map(\.topic)).sorted()) {
            for partition in topic.partitions {
                leaders[NamedPartition(topic.name ?? "", partition.partitionIndex)] =
                    NodeID(partition.leaderId)
            }
        }
        var groups: [NodeID: [NamedPartition]] = [:]
        var lost: Offsets = [:]
        for partition in partitions.sorted() {
            if let leader = leaders[partition], leader != .none {
                groups[leader, default: []].append(partition)
            } else {
                let error: ErrorCode =
                    leaders[partition] == nil ? .unknownTopicOrPartition : .leaderNotAvailable
                lost[partition] = .failure(.refused(error, "\(partition)"))
            }
        }
        return (groups.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, lost)
    }
}
