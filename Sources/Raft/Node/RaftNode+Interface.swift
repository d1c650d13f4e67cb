package import MillraceBase

/// What a node of the quorum is told to be.
package struct RaftConfig: Hashable, Sendable {
    package var nodeID: NodeID
    /// `directory.id` of the directory that holds the metadata log.
    package var directoryID: Uuid
    /// Ids of the voters, sorted. One for now: this node.
    package var voters: [NodeID]
    /// `metadata.log.max.record.bytes.between.snapshots`.
    package var snapshotBytes = 20 << 20
    /// `metadata.log.max.snapshot.interval.ms`; 0: never for the time alone.
    package var snapshotInterval = Duration.seconds(3600)

    package init(nodeID: NodeID, directoryID: Uuid, voters: [NodeID]) {
        (self.nodeID, self.directoryID, self.voters) = (nodeID, directoryID, voters)
    }
}

/// What a node finds on its disk when it starts.
package struct RaftRecovery: Hashable, Sendable {
    /// Nil on a new node.
    package var state: QuorumState?
    /// The newest snapshot that can be read; the image was loaded from it.
    package var snapshot: SnapshotID?
    /// The entries after the snapshot, in order.
    package var entries: [RaftEntry] = []

    package init() {}
}

/// What happens to a node. Durability is an event: nobody is told anything before.
package enum RaftEvent: Hashable, Sendable {
    /// The node begins: it stands for election if it alone is the quorum.
    case started
    /// The state of a `.saveState` is on disk, synced.
    case stateSaved(QuorumState)
    /// Records for the log, as one batch. Only a leader may be given them: see `RaftNode.isLeader`.
    case appended([[UInt8]])
    /// The log is on disk, synced, to this end.
    case persisted(end: Offset)
    /// The snapshot of a `.takeSnapshot` is on disk under its name, synced.
    case snapshotSaved(SnapshotID)
    /// It could not be written: it is asked for again later.
    case snapshotFailed(SnapshotID)
    /// Time has passed: a snapshot may be due. A few times a minute are enough.
    case tick
}

/// What a node wants done, in this order.
package enum RaftEffect: Hashable, Sendable {
    /// Write `quorum-state` anew (beside, sync, rename), then give `.stateSaved`.
    case saveState(QuorumState)
    /// Append the bytes, one batch, at the log's end and sync; then give `.persisted(end:)`. One
    /// sync may make several durable.
    case persist(bytes: [UInt8], RaftEntry)
    /// These entries are committed: replay them into the published image, in order.
    case committed([RaftEntry])
    /// This node leads: all that was committed before has been replayed.
    case lead(LeaderEpoch)
    /// Write what the published image is now, when all of `.committed` so far is replayed, as the
    /// snapshot of that id (`SnapshotWriter`), then give `.snapshotSaved`.
    case takeSnapshot(SnapshotID, lastTimestamp: Timestamp)
    /// Segments wholly before this offset, and snapshots that end before it, may be deleted.
    case releaseLog(before: Offset)
}
