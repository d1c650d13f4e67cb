internal import MillraceBase
internal import MillraceProtocol

/// What a classic group of consumers has assigned to a member.
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
}
