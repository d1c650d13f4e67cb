package import MillraceBase

/// Bytes of one segment to be sent, not copied. It begins with a batch; the last batch may be cut,
/// as in Kafka. Holding it keeps the file readable though the segment is deleted meanwhile.
package struct LogSlice: Sendable {
    package let file: any OpenFile
    package let position: Int64
    package let byteCount: Int
    /// Base offset of its first batch, which may lie before the offset asked for.
    package let baseOffset: Offset
    /// Base offset of the segment.
    package let segmentBaseOffset: Offset

    /// The bytes, copied into memory.
    package func bytes() throws(FileFault) -> [UInt8] {
        try file.bytes(at: position, count: byteCount)
    }
}

/// Where a record is in time: an answer of ListOffsets.
package struct TimestampedOffset: Hashable, Sendable {
    package var timestamp: Timestamp
    package var offset: Offset
    package var leaderEpoch: LeaderEpoch

    package init(timestamp: Timestamp, offset: Offset, leaderEpoch: LeaderEpoch) {
        self.timestamp = timestamp
        self.offset = offset
        self.leaderEpoch = leaderEpoch
    }
}

/// What a producer is known to have written to a log: an answer of DescribeProducers.
package struct ProducerDescription: Hashable, Sendable {
    package var id: Int64
    package var epoch: Int16
    /// −1 if none is known.
    package var lastSequence: Int32
    package var lastTimestamp: Timestamp
    package var coordinatorEpoch: Int32
    /// Where its open transaction begins; −1 without one.
    package var transactionStart: Offset
}
