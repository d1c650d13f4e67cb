import MillraceBase
import MillraceRecords

/// What a log knows of one producer: its epoch and its last five batches (KIP-98).
struct ProducerState {
    /// One batch of a producer.
    struct Batch {
        var lastSequence: Int32 = -1
        var lastOffset: Int64 = -1
        var offsetDelta: Int32 = 0
        var timestamp: Int64 = -1

        var firstOffset: Int64 { lastOffset - Int64(offsetDelta) }
        /// Sequences run from 0 to Int32.max and around.
        var firstSequence: Int32 {
            Int32(
                truncatingIfNeeded: (Int64(lastSequence) - Int64(offsetDelta)) & 0x7FFF_FFFF)
        }
    }

    static let batchesMax = 5

    var epoch: Int16 = -1
    var coordinatorEpoch: Int32 = -1
    /// The last batch's or marker's own timestamp, for the snapshot.
    var lastTimestamp: Int64 = -1
    var transactionStart: Int64 = -1
    /// When this process last heard of it; what expiry counts from.
    var seenAt: Instant
    private var batches: InlineArray<5, Batch> = .init(repeating: Batch())
    private(set) var batchCount = 0

    init(seenAt: Instant) { self.seenAt = seenAt }

    /// The last batch; nil if none is known in this epoch.
    var lastBatch: Batch? { batchCount == 0 ? nil : batches[batchCount - 1] }
    var lastSequence: Int32 { lastBatch?.lastSequence ?? -1 }

    mutating func add(_ batch: Batch, epoch: Int16) {
        begin(epoch: epoch)
        if batchCount == Self.batchesMax {
            for index in 1..<Self.batchesMax { batches[index - 1] = batches[index] }
            batchCount -= 1
        }
        batches[batchCount] = batch
        batchCount += 1
        lastTimestamp = batch.timestamp
    }

    /// A new epoch forgets the batches of the former.
    mutating func begin(epoch: Int16) {
        guard epoch != self.epoch else { return }
        self.epoch = epoch
        batchCount = 0
    }

    /// The batch with exactly these sequences, if it is one of the last five.
    func duplicate(of header: RecordBatchHeader) -> Batch? {
        guard header.producerEpoch == epoch else { return nil }
        for index in 0..<batchCount {
            let batch = batches[index]
            if batch.firstSequence == header.baseSequence,
                batch.lastSequence == header.lastSequence
            {
                return batch
            }
        }
        return nil
    }
}

/// The producers of one log. Empty for a log that no idempotent producer writes to.
///
/// Expiry counts from when this process last heard of a producer, not, as in Kafka, from its
/// records' timestamps: those may be old from the start, and a clock that jumps would forget
/// producers that are still sending, whose repeats would then be taken for new.
struct ProducerStates {
    private(set) var states: [Int64: ProducerState] = [:]

    var isEmpty: Bool { states.isEmpty }

    /// Whether a client's batch continues what its producer wrote.
    func check(_ header: RecordBatchHeader) -> AppendRefusal? {
        guard header.hasProducerID, let state = states[header.producerID] else { return nil }
        let id = header.producerID
        if header.producerEpoch < state.epoch {
            return .invalidProducerEpoch(
                producerID: id, current: state.epoch, found: header.producerEpoch)
        }
        if header.producerEpoch != state.epoch {
            if header.baseSequence != 0, state.epoch != -1 {
                return .outOfOrderSequence(
                    producerID: id, expected: 0, found: header.baseSequence)
            }
        } else if state.epoch != -1 {
            let last = state.lastSequence
            let expected = last == Int32.max ? 0 : last + 1
            if header.baseSequence != expected {
                return .outOfOrderSequence(
                    producerID: id, expected: expected, found: header.baseSequence)
            }
        }
        if state.transactionStart >= 0, !header.attributes.isTransactional {
            return .transactionOpen(producerID: id)
        }
        return nil
    }

    /// The batch that the producer sent before, if this is the same again.
    func duplicate(of header: RecordBatchHeader) -> DuplicateAppend? {
        guard header.hasProducerID,
            let batch = states[header.producerID]?.duplicate(of: header)
        else { return nil }
        return DuplicateAppend(
            baseOffset: Offset(batch.firstOffset), lastOffset: Offset(batch.lastOffset),
            timestamp: Timestamp(batch.timestamp))
    }

    /// Notes a batch of the log at its own offset.
    /// - Parameter marker: of a control batch: its coordinator's epoch.
    mutating func update(_ header: RecordBatchHeader, marker: Int32?, now: Instant) {
        guard header.hasProducerID else { return }
        var state = states[header.producerID] ?? ProducerState(seenAt: now)
        state.seenAt = now
        if header.attributes.isControl {
            guard let marker else { return }  // not the end of a transaction
            state.begin(epoch: header.producerEpoch)
            state.transactionStart = -1
            state.coordinatorEpoch = marker
            state.lastTimestamp = header.maxTimestamp.rawValue
        } else {
            let batch = ProducerState.Batch(
                lastSequence: header.lastSequence, lastOffset: header.lastOffset.rawValue,
                offsetDelta: header.lastOffsetDelta, timestamp: header.maxTimestamp.rawValue)
            state.add(batch, epoch: header.producerEpoch)
            if header.attributes.isTransactional, state.transactionStart < 0 {
                state.transactionStart = header.baseOffset.rawValue
            }
        }
        states[header.producerID] = state
    }

    /// Forgets producers without an open transaction that were not heard of for `ms`.
    mutating func expire(after ms: Int64, now: Instant) {
        guard !states.isEmpty else { return }
        states = states.filter {
            $0.value.transactionStart >= 0 || now.milliseconds(since: $0.value.seenAt) < ms
        }
    }

    mutating func insert(_ state: ProducerState, id: Int64) { states[id] = state }
    mutating func removeAll() { states = [:] }

    func describe() -> [ProducerDescription] {
        states.sorted { $0.key < $1.key }.map { id, state in
            ProducerDescription(
                id: id, epoch: state.epoch, lastSequence: state.lastSequence,
                lastTimestamp: Timestamp(state.lastTimestamp),
                coordinatorEpoch: state.coordinatorEpoch,
                transactionStart: Offset(state.transactionStart))
        }
    }
}
