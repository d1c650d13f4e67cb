package import MillraceBase
internal import MillraceProtocol
internal import Replication
package import Storage

/// What happens on a shard by time alone.
enum ShardTimer: Equatable {
    /// A fetch's MaxWaitMs is over.
    case fetch(UInt64)
    case retention
    case flushCheck
    case recoveryPoints
    case startOffsets
    /// A topic's `flush.ms`, or removed files whose delay has passed.
    case files
    case coordinator(partition: Int32)
}

/// Timers of a shard, and the intervals of what is done from time to time.
struct Upkeep {
    var timers = TimerQueue<ShardTimer>()
    private let work: NodeSettings.LogWork

    init(_ work: NodeSettings.LogWork, now: Instant) {
        self.work = work
        timers.schedule(.retention, at: now + work.initialDelay)
        timers.schedule(.recoveryPoints, at: now + work.recoveryPointInterval)
        timers.schedule(.startOffsets, at: now + work.startOffsetInterval)
        timers.schedule(.files, at: now + .seconds(1))
    }

    /// Schedules the next run of something that recurs.
    mutating func repeatLater(_ timer: ShardTimer, now: Instant) {
        let interval: Duration
        switch timer {
        case .retention: interval = work.retentionCheckInterval
        case .recoveryPoints: interval = work.recoveryPointInterval
        case .startOffsets: interval = work.startOffsetInterval
        case .files: interval = .seconds(1)
        case .fetch, .flushCheck, .coordinator: return
        }
        timers.schedule(timer, at: now + interval)
    }
}

extension Shard {
    /// When the shard next wants to be told that time has passed.
    package var nextDeadline: Instant? { upkeep.timers.nextDeadline }

    func tick() {
        while let timer = upkeep.timers.popDue(at: now.instant) {
            switch timer {
            case .fetch(let id): expire(fetch: id)
            case .retention: enforceRetention()
            case .recoveryPoints, .startOffsets: writeCheckpoints()
            case .files:
                if let cause = identity.directory.offlineCause { directoryFailed(cause) }
                tendFiles()
            case .flushCheck: break
            case .coordinator(let partition): coordinatorTick(partition)
            }
            upkeep.repeatLater(timer, now: now.instant)
        }
    }

    private func expire(fetch id: UInt64) {
        fetches.waiting[id]?.timer = nil
        wake(fetch: id)
    }

    private func enforceRetention() {
        for (index, partition) in partitions.enumerated() {
            guard let partition else { continue }
            do throws(StorageError) {
                try partition.log.enforceRetention(now: now, committed: partition.highWatermark)
            } catch {
                noteStorage(error)
            }
            collectRemovals(PartitionSlot(index: index))
        }
    }

    private func collectRemovals(_ slot: PartitionSlot) {
        guard let log = partition(slot)?.log, let due = log.nextRemoval, due <= now.instant,
            let job = log.dueRemovals(now: now.instant)
        else { return }
        effects.append(.remove(job))
    }

    private func tendFiles() {
        for (index, partition) in partitions.enumerated() {
            guard let log = partition?.log else { continue }
            let slot = PartitionSlot(index: index)
            collectRemovals(slot)
            if let deadline = log.flushDeadline, deadline <= now.instant { flush(slot) }
        }
    }

    /// - Parameter isUrgent: they are on disk before the next event.
    func writeCheckpoints(isUrgent: Bool = false) {
        effects.append(.checkpoint(identity.directory, checkpoints(), isUrgent: isUrgent))
    }

    /// What the checkpoint files say of this shard's partitions.
    package func checkpoints() -> DirectoryCheckpoints {
        var checkpoints = DirectoryCheckpoints()
        for case let partition? in partitions {
            checkpoints.recoveryPoints[partition.name] = partition.log.flushedOffset
            if partition.log.startOffset > .zero {
                checkpoints.startOffsets[partition.name] = partition.log.startOffset
            }
            checkpoints.highWatermarks[partition.name] = partition.highWatermark
        }
        // Of a log that could not be opened what was found stays, for when it can.
        let found = identity.directory.found
        for name in unopened {
            checkpoints.recoveryPoints[name] = found.recoveryPoints[name]
            checkpoints.startOffsets[name] = found.startOffsets[name]
            checkpoints.highWatermarks[name] = found.highWatermarks[name]
        }
        return checkpoints
    }

    /// Whether something is being written or flushed: until it is told how that went, logs cannot
    /// be closed.
    package var isBusy: Bool { partitions.contains { $0?.log.isBusy == true } }

    /// Whether the shard knows the cluster's metadata: before, its checkpoints say nothing.
    package var hasMetadata: Bool { view != nil }

    /// Clean stop: closes all logs, into which nothing is being written. Blocks on the disk;
    /// nothing is asked of the shard afterwards.
    /// - Returns: whether all were closed.
    package func closeLogs() -> Bool {
        var isClean = true
        for case let partition? in partitions {
            do throws(StorageError) {
                try partition.log.close()
            } catch {
                noteStorage(error)
                isClean = false
            }
        }
        return isClean
    }
}
