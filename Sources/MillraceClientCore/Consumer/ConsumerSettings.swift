package import MillraceBase

/// Where reading begins.
package enum StartPosition: Hashable, Sendable {
    case offset(Offset)
    case earliest
    case latest
    /// The first record of this time or later; the end if there is none.
    case time(Timestamp)

    /// What ListOffsets calls it.
    package var timestamp: Int64 {
        switch self {
        case .earliest: -2
        case .latest, .offset: -1
        case .time(let time): time.rawValue
        }
    }
}

/// How a consumer fetches. Names and defaults are Kafka's where it has them.
package struct ConsumerSettings: Equatable, Sendable {
    package var minBytes: Int32 = 1
    package var maxWaitMs: Int32 = 500
    package var fetchBytes: Int32 = 50 << 20
    package var partitionBytes: Int32 = 1 << 20
    /// Fetched bytes that nobody has polled yet; above it no more are asked for.
    package var bufferBytes = 64 << 20
    /// What is done about an offset that is not there, and where a group has committed none; nil:
    /// it is an error (`auto.offset.reset=none`).
    package var reset: StartPosition? = .latest
    package var backoff = Backoff()

    package init() {}
}

/// Record batches as they came from a partition's leader: whole, the first may begin before
/// `from`.
package struct FetchedRecords: Equatable, Sendable {
    package var partition: NamedPartition
    /// Records below it were not asked for.
    package var from: Offset
    /// After the last batch.
    package var next: Offset
    package var bytes: [UInt8]
    package var highWatermark: Offset

    package init(
        partition: NamedPartition, from: Offset, next: Offset, bytes: [UInt8],
        highWatermark: Offset
    ) {
        self.partition = partition
        self.from = from
        self.next = next
        self.bytes = bytes
        self.highWatermark = highWatermark
    }
}
