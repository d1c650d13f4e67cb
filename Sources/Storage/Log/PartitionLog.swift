package import MillraceBase
package import MillraceRecords

/// One partition's log on disk, in Kafka's files. Owned by one shard, touched by its thread alone.
///
/// An append has two steps, so that a slow disk never stops the loop: `stage` gives a batch its
/// offsets and its place, the runner writes the bytes, `written` makes them readable. Appends may
/// be in flight one behind the other; they are told written in the order of staging.
package final class PartitionLog {
    /// An append that is not known to be written.
    struct Pending {
        let number: UInt64
        let segment: Segment
        /// Where the bytes end in the segment.
        let position: Int64
        /// Exclusive.
        let end: Offset
        let maxTime: TimeIndexEntry
        let offsetWrite: SideWrite?
        let timeWrite: SideWrite?
        let stagedAt: Instant
    }

    /// Files of a removed segment that wait for their delay.
    struct Removal {
        let due: Instant
        let paths: [String]
    }

    let folder: LogFolder
    let contexts: CodecContexts
    /// Ascending by base offset; never empty.
    var segments: [Segment]
    var epochs: LeaderEpochs
    var producerStates: ProducerStates
    var pending = Deque<Pending>()
    var nextNumber: UInt64 = 0
    var tail = TailPositions()
    var removals: [Removal] = []
    var clock: WallClockGuard
    var unflushedSince: Instant?
    var isFlushing = false
    /// Names in the folder that no sync is known to have covered. What is found at opening may be
    /// new as well.
    var unsyncedNames = 1
    /// The folder itself is new.
    var isFolderUnsynced: Bool
    /// Small files that the next flush makes durable: snapshots, metadata.
    var unsyncedFiles: [String] = []
    var isClosed = false

    package let topicID: TopicID?
    /// Settings; may be set at any time and hold from the next append on.
    package var config: LogConfig
    /// Records before it are gone.
    package internal(set) var startOffset: Offset
    /// The end of what is written; exclusive. Readers see nothing beyond it.
    package internal(set) var endOffset: Offset
    /// The offset that the next append gets; beyond `endOffset` while appends are in flight.
    package internal(set) var stagedEndOffset: Offset
    /// The end of what is durable; exclusive. It is the recovery point.
    package internal(set) var flushedOffset: Offset
    /// Bytes of torn or corrupt batches that were cut at opening.
    package let bytesCutAtOpening: Int64

    init(
        loaded: LoadedLog, folder: LogFolder, contexts: CodecContexts, config: LogConfig,
        now: Moment
    ) {
        self.folder = folder
        self.contexts = contexts
        self.config = config
        segments = loaded.segments
        epochs = loaded.epochs
        producerStates = loaded.producers
        topicID = loaded.topicID
        startOffset = loaded.start
        endOffset = loaded.end
        stagedEndOffset = loaded.end
        flushedOffset = loaded.flushed
        bytesCutAtOpening = loaded.bytesCut
        isFolderUnsynced = loaded.isNew
        unsyncedFiles = loaded.unsyncedFiles
        clock = WallClockGuard(now: now)
        if endOffset > flushedOffset { unflushedSince = now.instant }
    }

    deinit {
        for segment in segments { segment.close() }
    }

    /// Opens the log in the folder `name` of `directory`, made if it does not exist.
    ///
    /// After an unclean stop everything from the recovery point is read again, a torn tail is cut,
    /// and indexes and producer state are made anew; after a clean one nothing is scanned.
    /// - Parameters:
    ///   - name: `topic-0`.
    ///   - topicID: written to `partition.metadata` if there is none; compared if there is.
    ///   - files: the shard's open descriptors.
    ///   - contexts: the shard's codecs.
    /// - Throws: `.foreign` if the folder belongs to another topic, `.malformed`, `.offline`.
    package static func open(
        name: String, topicID: TopicID?, in directory: LogDirectory, config: LogConfig,
        files: OpenFileCache, contexts: CodecContexts, now: Moment
    ) throws(StorageError) -> PartitionLog {
        let folder = LogFolder(directory: directory, name: name, files: files)
        var loader = LogLoader(folder: folder, config: config, now: now)
        let loaded = try loader.load(topicID: topicID)
        return PartitionLog(
            loaded: loaded, folder: folder, contexts: contexts, config: config, now: now)
    }

    /// The folder's name: `topic-0`.
    package var name: String { folder.name }
    package var directory: LogDirectory { folder.directory }
    /// Bytes of all segments' batches.
    package var byteCount: Int64 { segments.reduce(0) { $0 + $1.size } }
    package var segmentCount: Int { segments.count }

    /// Whether something was staged that is not known to be written.
    package var hasAppendsInFlight: Bool { !pending.isEmpty }
    /// Whether another thread writes or syncs for it.
    package var isBusy: Bool { isFlushing || hasAppendsInFlight }

    var active: Segment { segments[segments.count - 1] }

    /// The last segment that begins at or before `offset`; the first one if none does.
    func segmentIndex(for offset: Offset) -> Int {
        var (low, high) = (0, segments.count)
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].baseOffset <= offset { low = middle + 1 } else { high = middle }
        }
        return max(0, low - 1)
    }

    /// What is known of the producers, in order of id.
    package func producers() -> [ProducerDescription] { producerStates.describe() }

    // Leader epochs

    /// The latest epoch in the log or begun by `beginEpoch`; nil if there is none.
    package var latestEpoch: LeaderEpoch? { epochs.latest }

    /// All epochs and where they begin.
    package var epochStarts: [EpochStart] { epochs.entries }

    /// A leader begins an epoch at the log's end.
    package func beginEpoch(_ epoch: LeaderEpoch) throws(StorageError) {
        if epochs.assign(epoch, at: stagedEndOffset) {
            // An empty log loses nothing with its epochs; a long history is worth the sync.
            try writeEpochs(durably: stagedEndOffset > startOffset)
        }
    }

    /// OffsetForLeaderEpoch: the largest epoch not after `epoch`, and its end offset.
    /// Both none if `epoch` is after all that are known.
    package func endOffset(for epoch: LeaderEpoch) -> (epoch: LeaderEpoch, end: Offset) {
        epochs.end(of: epoch, logEnd: endOffset)
    }

    /// The epoch in which `offset` was written.
    package func epoch(of offset: Offset) -> LeaderEpoch? { epochs.epoch(of: offset) }

    func writeEpochs(durably: Bool) throws(StorageError) {
        let bytes = Checkpoint.encode(epochs.entries)
        try folder.guarded { () throws(FileFault) in
            try folder.fileSystem.replaceContents(
                folder.path(LeaderEpochs.fileName), with: bytes, durably: durably)
        }
        if !durably { unsyncedNames += 1 }
    }
}
