internal import MillraceBase
internal import MillraceProtocol

/// What members of a classic group of consumers tell each other: subscriptions and assignments, and
/// the assignment of ranges as Kafka's RangeAssignor makes it.
package enum GroupAssignment {
    /// The partitions of an assignment; nil if the bytes hold none.
    package static func decode(_ bytes: [UInt8]) -> [ListOffsets.Partition]? {
        bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            do throws(CodecError) {
                let version = min(try reader.readInt16(), 3)
                let found = try ConsumerProtocolAssignment(from: &reader, version: version)
                return found.assignedPartitions.flatMap { topic in
                    topic.partitions.map { ListOffsets.Partition(topic.topic, $0) }
                }.sorted()
            } catch {
                return nil
            }
        }
    }

    /// The bytes of an assignment.
    package static func encode(_ partitions: [ListOffsets.Partition]) -> [UInt8] {
        var message = ConsumerProtocolAssignment()
        for partition in partitions.sorted() {
            if message.assignedPartitions.last?.topic != partition.topic {
                var topic = ConsumerProtocolAssignment.AssignedPartition()
                topic.topic = partition.topic
                message.assignedPartitions.append(topic)
            }
            message.assignedPartitions[message.assignedPartitions.count - 1].partitions.append(
                partition.partition)
        }
        return bytes(message)
    }

    /// The bytes of a subscription.
    package static func subscription(_ topics: [String]) -> [UInt8] {
        var message = ConsumerProtocolSubscription()
        message.topics = topics.sorted()
        return bytes(message)
    }

    /// The topics of a subscription.
    package static func topics(_ bytes: [UInt8]) -> [String] {
        bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            do throws(CodecError) {
                let version = min(try reader.readInt16(), 3)
                return try ConsumerProtocolSubscription(from: &reader, version: version).topics
            } catch {
                return []
            }
        }
    }

    /// Ranges of each topic's partitions, in order of the members' ids.
    /// - Parameters:
    ///   - members: id and topics of each.
    ///   - counts: topic → how many partitions it has.
    package static func ranges(
        members: [(id: String, topics: [String])], counts: [String: Int32]
    ) -> [String: [ListOffsets.Partition]] {
        var assigned: [String: [ListOffsets.Partition]] = [:]
        for (topic, count) in counts.sorted(by: { $0.key < $1.key }) {
            let takers = members.filter { $0.topics.contains(topic) }.map(\.id).sorted()
            guard !takers.isEmpty else { continue }
            let (each, extra) = (Int(count) / takers.count, Int(count) % takers.count)
            var next = 0
            for (place, id) in takers.enumerated() {
                let share = each + (place < extra ? 1 : 0)
                for index in next..<next + share {
                    assigned[id, default: []].append(.init(topic, Int32(index)))
                }
                next += share
            }
        }
        return assigned
    }

    private static func bytes(_ message: some Message) -> [UInt8] {
        do throws(CodecError) {
            return try CoordinatorFraming.bytes(message, version: 1)
        } catch {
            return []
        }
    }
}
