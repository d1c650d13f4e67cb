package import MillraceBase

/// One member of the quorum that keeps the metadata log. A pure machine, owned by the control loop:
/// what is on disk is an event, what is to be written an effect.
///
/// The life of a change: `.appended` (offsets are given, `.persist`), `.persisted` (the leader's
/// own end moves), `.committed` (a majority has it). With one voter the leader's end is the
/// majority's.
/// Requests of other voters will be further events and effects; those here stay as they are.
package struct RaftNode {
    /// What the node is in its epoch.
    private enum Role: Hashable {
        case unattached
        /// Its own vote is being saved.
        case candidate
        /// Elected; its first entry is not committed yet.
        case elected
        case leader
    }

    package let config: RaftConfig
    private var role = Role.unattached
    private var state: QuorumState
    /// Offset after the last entry appended: what the next record gets.
    package private(set) var end: Offset
    /// Offset after the last entry that is on this node's disk.
    package private(set) var persistedEnd: Offset
    /// Offset after the last entry that is committed.
    package private(set) var committedEnd: Offset
    /// Entries that are not committed, in order.
    private var uncommitted: Deque<RaftEntry>
    /// Epoch of the last committed entry, and its time: what a snapshot is named by.
    private var committedEpoch: LeaderEpoch
    private var committedTimestamp = Timestamp.none
    private var snapshots: SnapshotPolicy

    /// - Precondition: the entries follow the snapshot and each other; `MetadataLogReader` saw to
    ///   it.
    package init(config: RaftConfig, recovery: RaftRecovery) {
        precondition(config.voters == config.voters.sorted(), "voters are sorted")
        let start = recovery.snapshot?.end ?? .zero
        var end = start
        for entry in recovery.entries {
            precondition(entry.baseOffset == end, "entries follow each other")
            end = entry.end
        }
        self.config = config
        let lastEpoch = recovery.entries.last?.epoch ?? recovery.snapshot?.epoch ?? LeaderEpoch(0)
        let saved = recovery.state?.epoch ?? LeaderEpoch(0)
        // A state file that was lost is older than the log: the log's epochs were led by somebody.
        state = QuorumState(epoch: max(saved, lastEpoch), voters: config.voters)
        (self.end, persistedEnd) = (end, end)
        committedEnd = start
        committedEpoch = recovery.snapshot?.epoch ?? LeaderEpoch(0)
        uncommitted = Deque(recovery.entries)
        snapshots = SnapshotPolicy(config: config, last: recovery.snapshot)
    }

    /// The epoch that this node leads or knows.
    package var epoch: LeaderEpoch { state.epoch }
    package var leader: NodeID { state.leader }
    /// Whether records may be appended.
    package var isLeader: Bool { role == .leader }

    package mutating func step(
        _ event: RaftEvent, at now: Moment, into effects: inout [RaftEffect]
    ) {
        switch event {
        case .started: start(at: now, into: &effects)
        case .stateSaved(let saved): stateSaved(saved, at: now, into: &effects)
        case .appended(let values): append(values, at: now, into: &effects)
        case .persisted(let end): persisted(end, at: now, into: &effects)
        case .snapshotSaved(let id): snapshots.saved(id, at: now, into: &effects)
        case .snapshotFailed(let id): snapshots.failed(id, at: now)
        case .tick: takeSnapshotIfDue(at: now, into: &effects)
        }
    }

    private mutating func start(at now: Moment, into effects: inout [RaftEffect]) {
        precondition(role == .unattached, "a node starts once")
        snapshots.start(at: now)
        // With other voters an election would begin by asking them.
        guard config.voters == [config.nodeID] else { return }
        role = .candidate
        state = QuorumState(
            leader: config.nodeID, epoch: LeaderEpoch(state.epoch.rawValue + 1),
            voters: config.voters)
        effects.append(.saveState(state))
    }

    private mutating func stateSaved(
        _ saved: QuorumState, at now: Moment, into effects: inout [RaftEffect]
    ) {
        guard role == .candidate, saved == state else { return }
        role = .elected
        let batch = ControlBatch.leaderChange(
            leader: config.nodeID, voters: config.voters, at: end, epoch: epoch,
            timestamp: now.timestamp)
        persist(batch, values: [], isControl: true, count: 1, at: now, into: &effects)
    }

    private mutating func append(
        _ values: [[UInt8]], at now: Moment, into effects: inout [RaftEffect]
    ) {
        precondition(role == .leader, "only a leader appends")
        guard !values.isEmpty else { return }
        let batch = RecordsBatch.bytes(
            values, at: end, epoch: epoch, timestamp: now.timestamp)
        persist(
            batch, values: values, isControl: false, count: values.count, at: now, into: &effects)
    }

    private mutating func persist(
        _ bytes: [UInt8], values: [[UInt8]], isControl: Bool, count: Int, at now: Moment,
        into effects: inout [RaftEffect]
    ) {
        let entry = RaftEntry(
            baseOffset: end, end: end + Int64(count), epoch: epoch, timestamp: now.timestamp,
            isControl: isControl, values: values, byteCount: bytes.count)
        end = entry.end
        uncommitted.append(entry)
        effects.append(.persist(bytes: bytes, entry))
    }

    private mutating func persisted(
        _ end: Offset, at now: Moment, into effects: inout [RaftEffect]
    ) {
        precondition(end <= self.end, "no more is on disk than was appended")
        guard end > persistedEnd else { return }
        persistedEnd = end
        commit(at: now, into: &effects)
    }

    /// Moves the committed end to what a majority has: with one voter, to what is on its disk. An
    /// entry of an earlier epoch is committed by one of this epoch after it (Raft §5.4.2).
    private mutating func commit(at now: Moment, into effects: inout [RaftEffect]) {
        guard role == .elected || role == .leader else { return }
        var ready: [RaftEntry] = []
        var lastOfEpoch = false
        for entry in uncommitted {
            guard entry.end <= persistedEnd else { break }
            lastOfEpoch = entry.epoch == epoch
            ready.append(entry)
        }
        guard lastOfEpoch, let last = ready.last else { return }
        for entry in ready {
            _ = uncommitted.popFirst()
            snapshots.committed(entry)
        }
        (committedEnd, committedEpoch, committedTimestamp) = (last.end, last.epoch, last.timestamp)
        effects.append(.committed(ready))
        if role == .elected {
            role = .leader
            effects.append(.lead(epoch))
        }
        takeSnapshotIfDue(at: now, into: &effects)
    }

    private mutating func takeSnapshotIfDue(at now: Moment, into effects: inout [RaftEffect]) {
        let id = SnapshotID(end: committedEnd, epoch: committedEpoch)
        guard snapshots.isDue(id, at: now) else { return }
        effects.append(.takeSnapshot(id, lastTimestamp: committedTimestamp))
    }
}
