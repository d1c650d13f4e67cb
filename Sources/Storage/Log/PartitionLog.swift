package import MillraceBase
package import MillraceRecords

/// One partition's log on disk, in Kafka's files. Owned by one shard, touched by its thread alone.
package final class PartitionLog {
    /// Opens the log in `folder` of `directory`, made if it does not exist.
    ///
    /// After an unclean stop everything from the recovery point is read again and a torn tail cut;
    /// after a clean one nothing is scanned.
    /// - Parameters:
    ///   - name: `topic-0`, the name of its folder.
    ///   - topicID: written to `partition.metadata` if there is none; compared if there is.
    ///   - files: the shard's open descriptors.
    package static func open(
        name: String, topicID: TopicID?, in directory: LogDirectory, config: LogConfig,
        files: OpenFileCache, contexts: CodecContexts, now: Moment
    ) throws(StorageError) -> PartitionLog { preconditionFailure() }

    package var name: String { preconditionFailure() }
    package var topicID: TopicID? { preconditionFailure() }
    /// Settings; may be set at any time and hold from the next append on.
    package var config: LogConfig {
        get { preconditionFailure() }
        set { preconditionFailure() }
    }
    /// Records before it are gone.
    package var startOffset: Offset { preconditionFailure() }
    /// The end of what is written; exclusive. Readers see nothing beyond it.
    package var endOffset: Offset { preconditionFailure() }
    /// The offset that the next append gets; beyond `endOffset` while appends are in flight.
    package var stagedEndOffset: Offset { preconditionFailure() }
    /// The end of what is durable; exclusive.
    package var flushedOffset: Offset { preconditionFailure() }
    /// Bytes of all segments' batches.
    package var byteCount: Int64 { preconditionFailure() }
    /// Batches found torn or corrupt at opening, and cut: bytes; 0 if none.
    package var bytesCutAtOpening: Int64 { preconditionFailure() }

    // Append

    /// Gives a client's batch, which the validator found good, its offsets and its place.
    ///
    /// Offset and leader epoch are stamped in place.
    /// - Parameter bytes: exactly the batch; not read where it was encoded again.
    package func stage(
        _ batch: ValidatedBatch, in bytes: UnsafeMutableRawBufferPointer, leaderEpoch: LeaderEpoch,
        now: Moment
    ) throws(StorageError) -> AppendOutcome { preconditionFailure() }

    /// The same for a batch that this node built itself (coordinators), without producer checks.
    package func stage(
        built batch: inout [UInt8], leaderEpoch: LeaderEpoch, now: Moment
    ) throws(StorageError) -> AppendOutcome { preconditionFailure() }

    /// Batches of another replica's or the metadata quorum's log, which have their offsets and
    /// epochs. All go into one segment.
    package func stage(
        replica batches: UnsafeRawBufferPointer, now: Moment
    ) throws(StorageError) -> AppendOutcome { preconditionFailure() }

    /// The bytes of this append are written. Told in the order of staging.
    package func written(_ append: StagedAppend) { preconditionFailure() }
    /// A write or sync failed: the whole directory is offline from now on.
    package func failed(_ fault: FileFault) { preconditionFailure() }

    // Read

    /// Batches from the one that holds `offset`, at most `maxBytes`.
    /// - Parameters:
    ///   - end: batches at and after it are not returned (high watermark, last stable offset).
    ///   - minOneBatch: give the first batch whole though it is larger than `maxBytes`.
    /// - Returns: nil if there is nothing to return. The caller has checked that `offset` is within
    ///   `startOffset...endOffset`.
    package func read(
        from offset: Offset, maxBytes: Int, upTo end: Offset, minOneBatch: Bool
    ) throws(StorageError) -> LogSlice? { preconditionFailure() }

    /// The first record at or after `timestamp`; nil if there is none before `end`.
    package func offset(
        forTimestamp timestamp: Timestamp, upTo end: Offset
    ) throws(StorageError) -> TimestampedOffset? { preconditionFailure() }
    /// The record with the largest timestamp (ListOffsets −3); nil in an empty log.
    package func offsetOfMaxTimestamp() throws(StorageError) -> TimestampedOffset? {
        preconditionFailure()
    }

    // Leader epochs

    /// The latest epoch in the log or begun by `beginEpoch`; nil if there is none.
    package var latestEpoch: LeaderEpoch? { preconditionFailure() }
    /// A leader begins an epoch at the log's end.
    package func beginEpoch(_ epoch: LeaderEpoch) throws(StorageError) { preconditionFailure() }
    /// OffsetForLeaderEpoch: the largest epoch not after `epoch`, and its end offset.
    /// Both none if `epoch` is after all that are known.
    package func endOffset(for epoch: LeaderEpoch) -> (epoch: LeaderEpoch, end: Offset) {
        preconditionFailure()
    }
    /// The epoch in which `offset` was written.
    package func epoch(of offset: Offset) -> LeaderEpoch? { preconditionFailure() }

    // Producers

    package func producers() -> [ProducerDescription] { preconditionFailure() }

    // Upkeep

    /// Raises the start offset (DeleteRecords). Segments wholly before it go at the next
    /// `enforceRetention`.
    package func deleteRecords(before offset: Offset) throws(StorageError) {
        preconditionFailure()
    }
    /// Removes old segments by time, size and start offset, and forgets expired producers.
    /// - Parameter committed: the high watermark: what lies above it stays.
    /// - Returns: how many segments were removed.
    @discardableResult
    package func enforceRetention(now: Moment, committed: Offset) throws(StorageError) -> Int {
        preconditionFailure()
    }
    /// When `dueRemovals` next has something.
    package var nextRemoval: Instant? { preconditionFailure() }
    /// Files whose delay has passed: for a disk thread.
    package func dueRemovals(now: Instant) -> RemovalJob? { preconditionFailure() }
    /// Whether the topic's flush settings ask for a flush now.
    package func needsFlush(now: Instant) -> Bool { preconditionFailure() }
    /// When `needsFlush` turns true by time alone; nil if never.
    package var flushDeadline: Instant? { preconditionFailure() }
    /// A job that makes all that is written durable; nil if all is, or one is under way.
    package func beginFlush() throws(StorageError) -> FlushJob? { preconditionFailure() }
    package func flushed(_ job: FlushJob, now: Instant) { preconditionFailure() }
    /// Cuts the log at `offset` (a follower, or a quorum replica): records from there on are gone.
    package func truncate(to offset: Offset) throws(StorageError) { preconditionFailure() }
    /// Empties the log and begins at `offset`.
    package func restart(at offset: Offset) throws(StorageError) { preconditionFailure() }
    /// Clean stop: flushes, writes the producer snapshot, trims the indexes. Blocks on the disk.
    package func close() throws(StorageError) { preconditionFailure() }
    /// Renames the folder to `<name>.<uuid>-delete`: the partition was deleted. The log is not used
    /// afterwards.
    /// - Returns: the folder's path, to be removed by `FileSystem.removeTree` on a disk thread.
    package func markForDeletion(_ id: Uuid) throws(StorageError) -> String {
        preconditionFailure()
    }
}
