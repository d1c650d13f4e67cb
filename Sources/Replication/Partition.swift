package import MillraceBase
package import MillraceRecords
package import Storage

/// Who waits for an append to be acknowledged, for the owner of the partition to tell.
package enum AppendWaiter: Hashable, Sendable {
    /// Nobody: acks=0.
    case none
    /// An item of a Produce request, on a connection of a shard.
    case produce(shard: Int, operation: UInt64, item: Int)
    /// A coordinator's change.
    case coordinator(UInt64)
}

/// A fetch that waits for something new: it is told once, then forgotten.
package struct FetchWatch: Hashable, Comparable, Sendable {
    package var shard: Int
    package var operation: UInt64

    package init(shard: Int, operation: UInt64) {
        self.shard = shard
        self.operation = operation
    }

    package static func < (a: Self, b: Self) -> Bool {
        (a.shard, a.operation) < (b.shard, b.operation)
    }
}

/// What became of an append that was acknowledged.
package struct AppendResult: Hashable, Sendable {
    package var baseOffset: Offset
    package var logAppendTime: Timestamp
    package var logStartOffset: Offset
}

/// What a partition wants told.
package enum PartitionEffect: Equatable, Sendable {
    case acknowledge(AppendWaiter, AppendResult)
    /// The append is lost: the write failed, or the leader is one no more.
    case abandon(AppendWaiter)
    case wake(FetchWatch)
    /// Everything below is committed now.
    case advanced(Offset)
}

/// What a partition says to a batch at once.
package enum PartitionAppend: Sendable {
    /// To be written; the waiter is told later.
    case staged(StagedAppend)
    /// In the log already; the waiter is told when that is committed, maybe at once.
    case duplicate
    case refused(AppendRefusal)
    /// acks=all and fewer replicas in sync than `min.insync.replicas`.
    case notEnoughReplicas
}

/// A partition that this node leads: its log, what is committed, and who waits for it.
/// Owned by one shard.
///
/// A record is committed once all replicas in sync have it: with one as soon as it is written.
/// Rules: KIP-101 (epochs), KIP-966 (the high watermark stands still below `min.insync.replicas`).
package final class Partition {
    package let id: TopicPartition
    /// `topic-0`
    package let name: String
    package let log: PartitionLog
    package private(set) var leaderEpoch: LeaderEpoch
    /// Everything below is committed. Never goes back.
    package private(set) var highWatermark: Offset
    /// The log ends of the other replicas in sync, as far as they have told; none today.
    private var followerEnds: [NodeID: Offset] = [:]
    /// Replicas in sync, this one included.
    package var inSyncCount: Int { followerEnds.count + 1 }
    /// `min.insync.replicas`, but never more than the partition has replicas.
    package var inSyncMin: Int

    /// An append whose write has not been reported.
    private struct InFlight {
        var number: UInt64
        var waiter: AppendWaiter
        var waitsForAll: Bool
    }

    /// An append that is written and waits for the high watermark.
    private struct Waiting {
        var end: Offset
        var waiter: AppendWaiter
        var waitsForAll: Bool
        var result: AppendResult
    }

    private var inFlight = Deque<InFlight>()
    /// In order of their ends.
    private var waiting = Deque<Waiting>()
    /// Repeats of batches that are not committed yet: few, in no order.
    private var repeats: [Waiting] = []
    private var watches: Set<FetchWatch> = []

    /// How many fetches are told of what is new; one more learns of it when its time is up.
    package static let watchesMax = 10_000

    /// - Parameter highWatermark: what was known committed before; this replica's whole log if it
    /// is
    ///   the only one.
    package init(
        id: TopicPartition, name: String, log: PartitionLog, leaderEpoch: LeaderEpoch,
        inSyncMin: Int
    ) throws(StorageError) {
        (self.id, self.name, self.log, self.inSyncMin) = (id, name, log, inSyncMin)
        self.leaderEpoch = leaderEpoch
        highWatermark = log.endOffset
        try log.beginEpoch(leaderEpoch)
    }

    /// A new term of this node as leader begins.
    package func lead(epoch: LeaderEpoch) throws(StorageError) {
        guard epoch > leaderEpoch else { return }
        leaderEpoch = epoch
        try log.beginEpoch(epoch)
    }

    /// Takes a client's batch that the validator found good.
    ///
    /// - Parameters:
    ///   - bytes: exactly the batch; offset and epoch are stamped in place.
    ///   - waitsForAll: acks=all.
    package func append(
        _ batch: ValidatedBatch, in bytes: UnsafeMutableRawBufferPointer, waitsForAll: Bool,
        waiter: AppendWaiter, now: Moment, into effects: inout [PartitionEffect]
    ) throws(StorageError) -> PartitionAppend {
        guard !waitsForAll || inSyncCount >= inSyncMin else { return .notEnoughReplicas }
        let outcome = try log.stage(batch, in: bytes, leaderEpoch: leaderEpoch, now: now)
        return took(outcome, waitsForAll: waitsForAll, waiter: waiter, into: &effects)
    }

    /// Takes a batch that this node built; the waiter is told when it is committed.
    package func append(
        built batch: inout [UInt8], waiter: AppendWaiter, now: Moment,
        into effects: inout [PartitionEffect]
    ) throws(StorageError) -> PartitionAppend {
        guard inSyncCount >= inSyncMin else { return .notEnoughReplicas }
        let outcome = try log.stage(built: &batch, leaderEpoch: leaderEpoch, now: now)
        return took(outcome, waitsForAll: true, waiter: waiter, into: &effects)
    }

    private func took(
        _ outcome: AppendOutcome, waitsForAll: Bool, waiter: AppendWaiter,
        into effects: inout [PartitionEffect]
    ) -> PartitionAppend {
        switch outcome {
        case .staged(let append):
            inFlight.append(
                InFlight(number: append.number, waiter: waiter, waitsForAll: waitsForAll))
            return .staged(append)
        case .duplicate(let duplicate):
            let result = AppendResult(
                baseOffset: duplicate.baseOffset, logAppendTime: duplicate.timestamp,
                logStartOffset: log.startOffset)
            repeated(
                Waiting(
                    end: duplicate.lastOffset + 1, waiter: waiter, waitsForAll: waitsForAll,
                    result: result), into: &effects)
            return .duplicate
        case .refused(let refusal): return .refused(refusal)
        }
    }

    private func repeated(_ append: Waiting, into effects: inout [PartitionEffect]) {
        if isDone(append) {
            effects.append(.acknowledge(append.waiter, append.result))
        } else {
            // Its batch may still be in flight, behind others: it has no place in the order.
            repeats.append(append)
        }
    }

    private func isDone(_ append: Waiting) -> Bool {
        append.end <= (append.waitsForAll ? highWatermark : log.endOffset)
    }

    /// An append was written. Told in the order of staging.
    package func written(_ append: StagedAppend, into effects: inout [PartitionEffect]) {
        guard let first = inFlight.popFirst() else {
            preconditionFailure("an append is written after it was staged")
        }
        precondition(first.number == append.number, "appends are written in the order of staging")
        log.written(append)
        let result = AppendResult(
            baseOffset: append.baseOffset, logAppendTime: append.logAppendTime,
            logStartOffset: log.startOffset)
        if first.waitsForAll {
            waiting.append(
                Waiting(
                    end: append.lastOffset + 1, waiter: first.waiter, waitsForAll: true,
                    result: result))
        } else {
            effects.append(.acknowledge(first.waiter, result))
        }
        advance(into: &effects)
    }

    /// A write failed: the log's directory is offline, and nobody who waits gets an
    /// acknowledgement.
    package func failed(_ fault: FileFault, into effects: inout [PartitionEffect]) {
        log.failed(fault)
        abandonAll(into: &effects)
    }

    /// Tells everybody who waits that they wait in vain, for instance when the partition goes.
    package func abandonAll(into effects: inout [PartitionEffect]) {
        while let append = inFlight.popFirst() { effects.append(.abandon(append.waiter)) }
        while let append = waiting.popFirst() { effects.append(.abandon(append.waiter)) }
        for append in repeats { effects.append(.abandon(append.waiter)) }
        repeats.removeAll()
        wakeAll(into: &effects)
    }

    /// Which replicas are in sync beside this one, and how far their logs reach.
    package func follow(_ ends: [NodeID: Offset], into effects: inout [PartitionEffect]) {
        followerEnds = ends
        advance(into: &effects)
    }

    /// What all replicas in sync have is committed, if they are enough (KIP-966).
    private func advance(into effects: inout [PartitionEffect]) {
        defer { if !repeats.isEmpty { acknowledgeRepeats(into: &effects) } }
        guard inSyncCount >= inSyncMin else { return }
        let common = followerEnds.values.reduce(log.endOffset) { min($0, $1) }
        guard common > highWatermark else { return }
        highWatermark = common
        while let first = waiting.first, first.end <= highWatermark {
            effects.append(.acknowledge(first.waiter, first.result))
            _ = waiting.popFirst()
        }
        effects.append(.advanced(highWatermark))
        wakeAll(into: &effects)
    }

    private func acknowledgeRepeats(into effects: inout [PartitionEffect]) {
        for append in repeats where isDone(append) {
            effects.append(.acknowledge(append.waiter, append.result))
        }
        repeats.removeAll { isDone($0) }
    }

    /// Tells `watch` once when there is something new.
    package func watch(_ watch: FetchWatch) {
        guard watches.count < Self.watchesMax else { return }
        watches.insert(watch)
    }

    /// The operation waits no more.
    package func unwatch(_ watch: FetchWatch) { watches.remove(watch) }

    /// Fetches that are told of what is new.
    package var watchCount: Int { watches.count }

    private func wakeAll(into effects: inout [PartitionEffect]) {
        guard !watches.isEmpty else { return }
        // In the order of their numbers, not of hashes.
        for watch in watches.sorted() { effects.append(.wake(watch)) }
        watches.removeAll(keepingCapacity: true)
    }
}
