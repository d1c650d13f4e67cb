internal import MillraceBase

/// When a snapshot is taken, and what of the log is kept after it.
///
/// The last two snapshots stay, and the log from the older one on: should the newer be unreadable,
/// the older and the log make the same image.
struct SnapshotPolicy {
    private let bytesMax: Int
    private let interval: Duration
    private var last: SnapshotID?
    private var before: SnapshotID?
    /// The one that is being written.
    private var pending: SnapshotID?
    /// Committed since the last snapshot; control batches alone are no reason for one.
    private var bytes = 0
    private var hasRecords = false
    private var lastTakenAt = Instant.zero

    init(config: RaftConfig, last: SnapshotID?) {
        (bytesMax, interval) = (config.snapshotBytes, config.snapshotInterval)
        self.last = last
    }

    mutating func start(at now: Moment) { lastTakenAt = now.instant }

    mutating func committed(_ entry: RaftEntry) {
        bytes += entry.byteCount
        if !entry.isControl { hasRecords = true }
    }

    /// Whether the snapshot is to be taken now; if so it is taken as begun.
    mutating func isDue(_ id: SnapshotID, at now: Moment) -> Bool {
        guard pending == nil, hasRecords, id.end > last?.end ?? .zero else { return false }
        let isLate = interval > .zero && now.instant - lastTakenAt >= interval
        guard bytes >= bytesMax || isLate else { return false }
        pending = id
        (bytes, hasRecords, lastTakenAt) = (0, false, now.instant)
        return true
    }

    mutating func saved(_ id: SnapshotID, at now: Moment, into effects: inout [RaftEffect]) {
        guard pending == id else { return }
        pending = nil
        (before, last) = (last, id)
        if let before { effects.append(.releaseLog(before: before.end)) }
    }

    mutating func failed(_ id: SnapshotID, at now: Moment) {
        guard pending == id else { return }
        pending = nil
        // Due again when as much has come, or the interval has passed.
        hasRecords = true
    }
}
