internal import MillraceBase
internal import MillraceRecords

/// A batch that is closed: its bytes never change again, so that a repeat carries the same
/// sequence.
struct SealedBatch {
    var bytes: [UInt8]
    var isNumbered: Bool
    var attempts = 0
}

/// The records of a batch that is still open, encoded as they come. Only `PendingBatch` has one,
/// and takes a copy before it changes what another copy of the core holds too.
private final class OpenRecords {
    var builder: BatchBuilder?

    init(_ builder: consuming BatchBuilder?) { self.builder = consume builder }
}

/// Records of one partition in one batch, open or closed.
struct PendingBatch {
    private var open: OpenRecords?
    private(set) var tickets: [UInt64] = []
    /// An upper bound of the encoded size.
    private(set) var byteCount = 0
    let since: Instant
    var sealed: SealedBatch?

    init(since: Instant) {
        self.since = since
        open = OpenRecords(BatchBuilder())
    }

    /// How many records there are.
    var count: Int { tickets.count }

    /// - Parameter timestamp: of a record that has none of its own.
    mutating func add(
        _ record: ProducerRecord, _ ticket: UInt64, _ size: Int, _ timestamp: Timestamp
    ) {
        own()
        open?.builder?.append(
            timestamp: record.timestamp == .none ? timestamp : record.timestamp, key: record.key,
            value: record.value, headers: record.headers)
        tickets.append(ticket)
        byteCount += size
    }

    /// Sees to it that no copy of this batch has the same open records.
    private mutating func own() {
        guard !isKnownUniquelyReferenced(&open), let shared = open else { return }
        open = OpenRecords(shared.builder?.copy())
    }

    /// Closes the batch under `producer`, or nobody's.
    fileprivate mutating func seal(
        _ producer: BatchProducer, codec: CompressionCodec, contexts: CodecContexts
    ) -> [UInt8] {
        own()
        guard let builder = open?.builder.take() else {
            preconditionFailure("a batch is closed once")
        }
        open = nil
        let bytes = builder.finish(codec: codec, contexts: contexts, producer: producer)
        sealed = SealedBatch(bytes: bytes, isNumbered: producer.id >= 0)
        return bytes
    }
}

/// Records of a topic whose partitions are not known yet.
struct UnplacedRecords {
    private(set) var records: [ProducerRecord] = []
    private(set) var tickets: [UInt64] = []
    private(set) var byteCount = 0
    let since: Instant

    init(since: Instant) { self.since = since }

    /// - Parameter timestamp: of a record that has none of its own.
    mutating func add(
        _ record: ProducerRecord, _ ticket: UInt64, _ size: Int, _ timestamp: Timestamp
    ) {
        records.append(record)
        if record.timestamp == .none { records[records.count - 1].timestamp = timestamp }
        tickets.append(ticket)
        byteCount += size
    }
}

/// What waits for one partition, in order. At most one batch is on its way at a time: whatever the
/// broker answers, nothing behind it can overtake it.
struct PartitionQueue {
    let name: NamedPartition
    var isInFlight = false
    var notBefore = Instant.zero
    /// The id under which `nextSequence` counts.
    private(set) var producer = BatchProducer.none
    private var nextSequence: Int32 = 0
    /// Batches that take no more records.
    private var full = Deque<PendingBatch>()
    /// The last one; apart from the others so that it grows where it is.
    private var open: PendingBatch?

    init(_ name: NamedPartition) { self.name = name }

    var first: PendingBatch? { full.first ?? open }
    var count: Int { full.count + (open == nil ? 0 : 1) }

    /// Adds a record to the last batch, or to a new one if it has no room for it.
    /// - Returns: whether that made a batch wait behind another.
    mutating func add(
        _ record: ProducerRecord, _ ticket: UInt64, _ size: Int, _ timestamp: Timestamp,
        batchBytes: Int, since: Instant
    ) -> Bool {
        var isBehind = false
        if let byteCount = open?.byteCount, byteCount + size > batchBytes,
            let batch = open.take()
        {
            full.append(batch)
        }
        if open == nil {
            open = PendingBatch(since: since)
            isBehind = !full.isEmpty
        }
        open?.add(record, ticket, size, timestamp)
        return isBehind
    }

    mutating func popFirst() -> PendingBatch? { full.popFirst() ?? open.take() }

    /// Puts a batch back that is to be sent again.
    mutating func prepend(_ batch: PendingBatch) { full.prepend(batch) }

    /// Whether the first batch may go now.
    func isReady(
        at now: Instant, linger: Duration, batchBytes: Int, flushing: Bool
    ) -> Bool {
        guard !isInFlight, now >= notBefore, let first else { return false }
        return flushing || first.sealed != nil || count > 1
            || first.byteCount >= batchBytes || now >= first.since + linger
    }

    /// When it may go at the latest, if nothing else happens.
    func deadline(linger: Duration) -> Instant {
        guard !isInFlight, let first else { return .distantFuture }
        let due = first.sealed != nil || count > 1 ? first.since : first.since + linger
        return max(due, notBefore)
    }

    /// The bytes of the first batch; it is closed now, under `producer` (id and epoch) or `none`,
    /// if it was not yet.
    mutating func seal(
        _ producer: BatchProducer, codec: CompressionCodec, contexts: CodecContexts
    ) -> [UInt8]? {
        if let sealed = first?.sealed { return sealed.bytes }
        guard var batch = popFirst() else { return nil }
        var stamp = producer
        if producer.id >= 0 {
            if self.producer.id != producer.id || self.producer.epoch != producer.epoch {
                self.producer = producer
                nextSequence = 0
            }
            stamp.baseSequence = nextSequence
            nextSequence = Int32(
                truncatingIfNeeded: (Int64(nextSequence) + Int64(batch.count))
                    & 0x7FFF_FFFF)
        }
        let bytes = batch.seal(stamp, codec: codec, contexts: contexts)
        prepend(batch)
        return bytes
    }
}
