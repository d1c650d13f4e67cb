internal import MillraceBase
internal import MillraceRecords

/// A batch that is closed: its bytes never change again, so that a repeat carries the same
/// sequence.
struct SealedBatch {
    var bytes: [UInt8]
    var isNumbered: Bool
    var attempts = 0
}

/// Records of one partition in one batch, open or closed.
struct PendingBatch {
    var records: [ProducerRecord] = []
    var tickets: [UInt64] = []
    /// An upper bound of the encoded size.
    var byteCount = 0
    var since: Instant
    var sealed: SealedBatch?

    init(since: Instant) { self.since = since }
}

/// What waits for one partition, in order. At most one batch is on its way at a time: whatever the
/// broker answers, nothing behind it can overtake it.
struct PartitionQueue {
    var batches = Deque<PendingBatch>()
    var isInFlight = false
    var notBefore = Instant.zero
    /// The id under which `nextSequence` counts.
    var producer = BatchProducer.none
    var nextSequence: Int32 = 0

    /// Whether the first batch may go now.
    func isReady(
        at now: Instant, linger: Duration, batchBytes: Int, flushing: Bool
    ) -> Bool {
        guard !isInFlight, now >= notBefore, let first = batches.first else { return false }
        return flushing || first.sealed != nil || batches.count > 1
            || first.byteCount >= batchBytes || now >= first.since + linger
    }

    /// When it may go at the latest, if nothing else happens.
    func deadline(linger: Duration) -> Instant {
        guard !isInFlight, let first = batches.first else { return .distantFuture }
        let due = first.sealed != nil || batches.count > 1 ? first.since : first.since + linger
        return max(due, notBefore)
    }

    /// Closes the first batch under `producer` (id and epoch), or `none`.
    mutating func seal(_ producer: BatchProducer, codec: CompressionCodec, contexts: CodecContexts)
    {
        guard var batch = batches.popFirst() else { return }
        precondition(batch.sealed == nil && !batch.records.isEmpty, "an open batch has records")
        var stamp = producer
        if producer.id >= 0 {
            if self.producer.id != producer.id || self.producer.epoch != producer.epoch {
                self.producer = producer
                nextSequence = 0
            }
            stamp.baseSequence = nextSequence
            nextSequence = Int32(
                truncatingIfNeeded: (Int64(nextSequence) + Int64(batch.records.count))
                    & 0x7FFF_FFFF)
        }
        var builder = BatchBuilder(producer: stamp, capacity: batch.byteCount + 128)
        for record in batch.records {
            builder.append(
                timestamp: record.timestamp, key: record.key, value: record.value,
                headers: record.headers)
        }
        batch.records = []
        batch.sealed = SealedBatch(
            bytes: builder.finish(codec: codec, contexts: contexts), isNumbered: producer.id >= 0)
        batches.prepend(batch)
    }
}
