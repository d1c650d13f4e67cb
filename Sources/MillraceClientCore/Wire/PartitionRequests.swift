internal import MillraceBase
package import MillraceProtocol

/// Partitions as requests have them: below their topics, each topic once.
package enum PartitionList {
    /// Gathers what belongs to one topic; topics and partitions come out in order.
    package static func byTopic<Item>(
        _ items: [(NamedPartition, Item)]
    ) -> [(topic: String, partitions: [(index: Int32, item: Item)])] {
        var topics: [(topic: String, partitions: [(index: Int32, item: Item)])] = []
        for (partition, item) in items.sorted(by: { $0.0 < $1.0 }) {
            if topics.last?.topic != partition.topic { topics.append((partition.topic, [])) }
            topics[topics.count - 1].partitions.append((partition.index, item))
        }
        return topics
    }
}

extension ListOffsetsRequest {
    /// Asks a leader for places in its partitions.
    package init(_ wanted: [(NamedPartition, StartPosition)]) {
        self.init()
        replicaId = -1
        timeoutMs = 30_000
        topics = PartitionList.byTopic(wanted).map { name, partitions in
            var topic = Topic()
            topic.name = name
            topic.partitions = partitions.map { index, start in
                var partition = Topic.Partition()
                partition.partitionIndex = index
                partition.timestamp = start.timestamp
                return partition
            }
            return topic
        }
    }
}

extension OffsetCommitRequest {
    /// Commits for a group; a member adds who it is.
    package init(of group: String, _ offsets: [NamedPartition: CommittedOffset]) {
        self.init()
        groupId = group
        topics = PartitionList.byTopic(offsets.map { ($0.key, $0.value) }).map { name, partitions in
            var topic = Topic()
            topic.name = name
            topic.partitions = partitions.map { index, committed in
                var partition = Topic.Partition()
                partition.partitionIndex = index
                partition.committedOffset = committed.offset.rawValue
                partition.committedMetadata = committed.metadata
                return partition
            }
            return topic
        }
    }
}
