internal import MillraceProtocol

/// Offsets by time.
package enum ListOffsets {
    /// A partition by names.
    package struct Partition: Hashable, Comparable, Sendable {
        package var topic: String
        package var partition: Int32

        package init(_ topic: String, _ partition: Int32) {
            (self.topic, self.partition) = (topic, partition)
        }

        package static func < (a: Self, b: Self) -> Bool {
            (a.topic, a.partition) < (b.topic, b.partition)
        }
    }

    package static let latest: Int64 = -1
    package static let earliest: Int64 = -2

    /// Asks each leader. A time after the last record gives −1; a partition whose leader refuses is
    /// left out.
    package static func ask(
        _ client: RequestClient, _ wanted: [Partition: (leader: Int32, timestamp: Int64)]
    ) throws(RequestError) -> [Partition: Int64] {
        var found: [Partition: Int64] = [:]
        for leader in Set(wanted.values.map(\.leader)).sorted() {
            var request = ListOffsetsRequest()
            request.replicaId = -1
            let own = wanted.filter { $0.value.leader == leader }.sorted { $0.key < $1.key }
            for (key, value) in own {
                if request.topics.last?.name != key.topic {
                    var topic = ListOffsetsRequest.Topic()
                    topic.name = key.topic
                    request.topics.append(topic)
                }
                var partition = ListOffsetsRequest.Topic.Partition()
                partition.partitionIndex = key.partition
                partition.timestamp = value.timestamp
                request.topics[request.topics.count - 1].partitions.append(partition)
            }
            let answer = try client.ask(
                request, .listOffsets, as: ListOffsetsResponse.self, of: .node(leader)
            ).body
            for topic in answer.topics {
                for partition in topic.partitions where partition.errorCode == 0 {
                    found[Partition(topic.name, partition.partitionIndex)] = partition.offset
                }
            }
        }
        return found
    }
}
