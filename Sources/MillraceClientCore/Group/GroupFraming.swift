package import MillraceBase
internal import MillraceProtocol

/// What members tell each other through the coordinator: the embedded consumer protocol, each
/// message behind its version. Version 1 for subscriptions, 0 for assignments: what everyone reads.
package enum GroupFraming {
    static func subscription(_ topics: [String]) throws(CodecError) -> [UInt8] {
        var subscription = ConsumerProtocolSubscription()
        subscription.topics = topics
        return try CoordinatorFraming.bytes(subscription, version: 1)
    }

    static func assignment(_ partitions: [NamedPartition]) throws(CodecError) -> [UInt8] {
        var assignment = ConsumerProtocolAssignment()
        assignment.assignedPartitions = PartitionList.byTopic(partitions.map { ($0, ()) }).map {
            name, partitions in
            var topic = ConsumerProtocolAssignment.AssignedPartition()
            topic.topic = name
            topic.partitions = partitions.map(\.index)
            return topic
        }
        return try CoordinatorFraming.bytes(assignment, version: 0)
    }

    /// The topics of a subscription of any version.
    static func topics(_ bytes: [UInt8]) throws(CodecError) -> [String] {
        let result = bytes.withUnsafeBytes { bytes -> Result<[String], CodecError> in
            do throws(CodecError) {
                var reader = ByteReader(bytes)
                let version = min(max(try CoordinatorFraming.readVersion(from: &reader), 0), 3)
                return .success(
                    try ConsumerProtocolSubscription(from: &reader, version: version).topics)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// The partitions of an assignment; empty bytes are an empty one.
    package static func partitions(_ bytes: [UInt8]) throws(CodecError) -> [NamedPartition] {
        guard !bytes.isEmpty else { return [] }
        let result = bytes.withUnsafeBytes { bytes -> Result<[NamedPartition], CodecError> in
            do throws(CodecError) {
                var reader = ByteReader(bytes)
                let version = min(max(try CoordinatorFraming.readVersion(from: &reader), 0), 3)
                let read = try ConsumerProtocolAssignment(from: &reader, version: version)
                return .success(
                    read.assignedPartitions.flatMap { topic in
                        topic.partitions.map { NamedPartition(topic.topic, $0) }
                    })
            } catch { return .failure(error) }
        }
        return try result.get()
    }
}
