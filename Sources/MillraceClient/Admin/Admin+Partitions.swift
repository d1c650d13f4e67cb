package import MillraceBase
package import MillraceClientCore
internal import MillraceProtocol

/// What only a partition's leader can say or do.
extension Admin {
    /// The offset at a position of each partition: of the first record, after the last, or of the
    /// first one of a time (`none` if there is none).
    package func listOffsets(
        _ wanted: [NamedPartition: StartPosition]
    ) async throws(ClientError) -> [NamedPartition: Offset] {
        var found: [NamedPartition: Offset] = [:]
        for (node, partitions) in try await byLeader(Array(wanted.keys)) {
            var request = ListOffsetsRequest()
            request.replicaId = -1
            for partition in partitions {
                if request.topics.last?.name != partition.topic {
                    var topic = ListOffsetsRequest.Topic()
                    topic.name = partition.topic
                    request.topics.append(topic)
                }
                var part = ListOffsetsRequest.Topic.Partition()
                part.partitionIndex = partition.index
                part.timestamp =
                    switch wanted[partition] {
                    case .earliest: -2
                    case .time(let time): time.rawValue
                    default: -1
                    }
                request.topics[request.topics.count - 1].partitions.append(part)
            }
            let answer = try await ask(
                request, .listOffsets, as: ListOffsetsResponse.self, of: .node(node))
            for topic in answer.topics {
                for part in topic.partitions {
                    let name = NamedPartition(topic.name, part.partitionIndex)
                    try Self.check(part.errorCode, "\(name)")
                    found[name] = Offset(part.offset)
                }
            }
        }
        return found
    }

    /// Deletes the records before an offset (−1: all that there are).
    /// - Returns: the first offset that is left.
    package func deleteRecords(
        before offsets: [NamedPartition: Offset]
    ) async throws(ClientError) -> [NamedPartition: Offset] {
        var left: [NamedPartition: Offset] = [:]
        for (node, partitions) in try await byLeader(Array(offsets.keys)) {
            var request = DeleteRecordsRequest()
            request.timeoutMs = 30_000
            for partition in partitions {
                if request.topics.last?.name != partition.topic {
                    var topic = DeleteRecordsRequest.Topic()
                    topic.name = partition.topic
                    request.topics.append(topic)
                }
                var part = DeleteRecordsRequest.Topic.Partition()
                part.partitionIndex = partition.index
                part.offset = offsets[partition]?.rawValue ?? -1
                request.topics[request.topics.count - 1].partitions.append(part)
            }
            let answer = try await ask(
                request, .deleteRecords, as: DeleteRecordsResponse.self, of: .node(node))
            for topic in answer.topics {
                for part in topic.partitions {
                    let name = NamedPartition(topic.name, part.partitionIndex)
                    try Self.check(part.errorCode, "\(name)")
                    left[name] = Offset(part.lowWatermark)
                }
            }
        }
        return left
    }

    /// Partitions by their leaders, both in order.
    private func byLeader(
        _ partitions: [NamedPartition]
    ) async throws(ClientError) -> [(NodeID, [NamedPartition])] {
        let topics = try await describeTopics(Set(partitions.map(\.topic)).sorted())
        var leaders: [NamedPartition: Int32] = [:]
        for topic in topics {
            for partition in topic.partitions {
                leaders[NamedPartition(topic.name ?? "", partition.partitionIndex)] =
                    partition.leaderId
            }
        }
        var groups: [NodeID: [NamedPartition]] = [:]
        for partition in partitions.sorted() {
            guard let leader = leaders[partition] else {
                throw .refused(.unknownTopicOrPartition, "\(partition)")
            }
            guard leader >= 0 else { throw .refused(.leaderNotAvailable, "\(partition)") }
            groups[NodeID(leader), default: []].append(partition)
        }
        return groups.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
