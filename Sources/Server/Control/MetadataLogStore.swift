package import MillraceBase
internal import MillraceRecords
package import Metadata
package import Raft
package import Storage

/// Why the metadata log cannot be used: one line.
package struct MetadataStoreError: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// The files of the metadata log, in `__cluster_metadata-0`: the log itself, `quorum-state` and
/// snapshots, laid out as Kafka does. Owned by the control thread, which waits for the disk here:
/// nothing of a metadata change is told to anybody before it is durable.
package final class MetadataLogStore {
    /// Kafka's name of the topic's only partition, and the topic's id.
    package static let folderName = "__cluster_metadata-0"
    private static let topicID = TopicID(Uuid(high: 0, low: 1))
    /// What `storage format` leaves beside the folder.
    package static let bootstrapName = "bootstrap.checkpoint"
    private static let stateName = "quorum-state"
    private static let readBytes = 4 << 20

    /// What was found when the store was opened.
    package struct Found {
        package var recovery: RaftRecovery
        /// The image of the snapshot, or the empty one.
        package var image: ClusterImage
    }

    private let directory: LogDirectory
    private let log: PartitionLog
    private var folder: String { directory.path + "/" + Self.folderName }
    private var files: any FileSystem { directory.fileSystem }

    private init(directory: LogDirectory, log: PartitionLog) {
        (self.directory, self.log) = (directory, log)
    }

    /// Opens the log, made if it does not exist, and reads what it holds.
    package static func open(
        in directory: LogDirectory, openFiles: OpenFileCache, now: Moment
    ) throws(MetadataStoreError) -> (store: MetadataLogStore, found: Found) {
        var config = LogConfig()
        (config.retentionMs, config.retentionBytes) = (-1, -1)
        (config.segmentBytes, config.segmentMs) = (64 << 20, .max)
        config.fileDeleteDelayMs = 0
        let log: PartitionLog
        do throws(StorageError) {
            log = try PartitionLog.open(
                name: folderName, topicID: topicID, in: directory, config: config,
                files: openFiles, contexts: CodecContexts(), now: now)
        } catch {
            throw MetadataStoreError(error.description)
        }
        let store = MetadataLogStore(directory: directory, log: log)
        return (store, try store.recover(now: now))
    }

    // MARK: What is there

    private func recover(now: Moment) throws(MetadataStoreError) -> Found {
        var found = Found(recovery: RaftRecovery(), image: ClusterImage())
        if let bytes = try contents(folder + "/" + Self.stateName) {
            found.recovery.state = try state(String(decoding: bytes, as: UTF8.self))
        }
        if let (id, image) = try newestSnapshot() {
            (found.recovery.snapshot, found.image) = (id, image)
        }
        let start = found.recovery.snapshot?.end ?? .zero
        if log.endOffset < start {
            // The snapshot knows more than the log: the log goes on where the snapshot ends.
            do throws(StorageError) {
                try log.restart(at: start, now: now)
            } catch {
                throw MetadataStoreError(error.description)
            }
        }
        found.recovery.entries = try entries(from: start)
        return found
    }

    private func state(_ text: String) throws(MetadataStoreError) -> QuorumState {
        do throws(RaftError) {
            return try QuorumState(text)
        } catch {
            throw MetadataStoreError("\(folder)/\(Self.stateName): \(error)")
        }
    }

    /// The newest snapshot that can be read; one that cannot is passed over, the log has the rest.
    private func newestSnapshot() throws(MetadataStoreError) -> (SnapshotID, ClusterImage)? {
        var ids: [SnapshotID] = []
        do throws(FileFault) {
            ids = try files.list(folder).compactMap { SnapshotID(fileName: $0.name) }.sorted()
        } catch {
            throw MetadataStoreError(error.description)
        }
        var reason: MetadataStoreError?
        for id in ids.reversed() where id.end >= log.startOffset {
            do throws(MetadataStoreError) {
                return (id, try image(of: id))
            } catch {
                reason = reason ?? error
            }
        }
        // Without the records before its start the log alone makes no image.
        if let reason, log.startOffset > .zero { throw reason }
        return nil
    }

    private func image(of id: SnapshotID) throws(MetadataStoreError) -> ClusterImage {
        let path = folder + "/" + id.fileName
        let records = try Self.records(of: try contents(path) ?? [], path: path)
        do throws(MetadataError) {
            return try ClusterImage(snapshot: records, end: id.end)
        } catch {
            throw MetadataStoreError("\(path): \(error)")
        }
    }

    /// The records of a snapshot's or a bootstrap checkpoint's bytes.
    package static func records(
        of bytes: [UInt8], path: String
    ) throws(MetadataStoreError) -> [MetadataRecord] {
        let values = bytes.withUnsafeBytes { buffer -> Result<[[UInt8]], RaftError> in
            do throws(RaftError) {
                return .success(try SnapshotReader.records(buffer))
            } catch {
                return .failure(error)
            }
        }
        var records: [MetadataRecord] = []
        do {
            for value in try values.get() { records.append(try MetadataRecord(value)) }
        } catch {
            throw MetadataStoreError("\(path): \(error)")
        }
        return records
    }

    /// The records that a new cluster begins with; nil if the directory has none.
    package func bootstrapRecords() throws(MetadataStoreError) -> [MetadataRecord]? {
        let path = directory.path + "/" + Self.bootstrapName
        guard let bytes = try contents(path) else { return nil }
        return try Self.records(of: bytes, path: path)
    }

    private func contents(_ path: String) throws(MetadataStoreError) -> [UInt8]? {
        do throws(FileFault) {
            return try files.contents(path, max: 1 << 30)
        } catch {
            throw MetadataStoreError(error.description)
        }
    }

    private func entries(from start: Offset) throws(MetadataStoreError) -> [RaftEntry] {
        var reader = MetadataLogReader(from: start)
        var next = max(start, log.startOffset)
        do {
            while next < log.endOffset {
                guard
                    let slice = try log.read(
                        from: next, maxBytes: Self.readBytes, upTo: log.endOffset,
                        minOneBatch: true)
                else { break }
                let bytes = try slice.bytes()
                var whole = 0
                try bytes.withUnsafeBytes { whole = try reader.read($0, isLast: true) }
                guard whole > 0, let last = reader.entries.last, last.end > next else { break }
                next = last.end
            }
            return try reader.finish()
        } catch {
            throw MetadataStoreError("\(folder): \(error)")
        }
    }

    // MARK: What is written

    /// Appends batches at the log's end, without a sync.
    package func append(_ batch: [UInt8], now: Moment) throws(MetadataStoreError) {
        do {
            try batch.withUnsafeBytes { bytes in
                guard case .staged(let append) = try log.stage(replica: bytes, now: now) else {
                    throw MetadataStoreError("\(folder): a batch does not follow the log's end")
                }
                do throws(FileFault) {
                    try append.perform(bytes)
                } catch {
                    log.failed(error)
                    throw error
                }
                log.written(append)
            }
        } catch {
            throw MetadataStoreError("\(error)")
        }
    }

    /// Makes durable all that was appended.
    /// - Returns: the log's end; exclusive.
    package func sync(now: Moment) throws(MetadataStoreError) -> Offset {
        do {
            while let job = try log.beginFlush() {
                do throws(FileFault) {
                    try job.perform()
                } catch {
                    log.failed(error)
                    throw error
                }
                log.flushed(job, now: now.instant)
            }
        } catch {
            throw MetadataStoreError("\(error)")
        }
        return log.flushedOffset
    }

    /// Writes `quorum-state` whole.
    package func save(_ state: QuorumState) throws(MetadataStoreError) {
        try replace(folder + "/" + Self.stateName, with: Array(state.text.utf8))
    }

    /// Writes an image as a snapshot.
    package func saveSnapshot(
        _ id: SnapshotID, of image: ClusterImage, lastTimestamp: Timestamp, now: Moment
    ) throws(MetadataStoreError) {
        var writer = SnapshotWriter(
            epoch: id.epoch, lastTimestamp: lastTimestamp, now: now.timestamp)
        do throws(MetadataError) {
            try image.forEachSnapshotRecord { record throws(MetadataError) in
                writer.append(try record.bytes())
            }
        } catch {
            throw MetadataStoreError("\(folder)/\(id.fileName): \(error)")
        }
        try replace(folder + "/" + id.fileName, with: writer.finish())
    }

    private func replace(_ path: String, with bytes: [UInt8]) throws(MetadataStoreError) {
        do throws(FileFault) {
            try files.replaceContents(path, with: bytes)
        } catch {
            throw MetadataStoreError(error.description)
        }
    }

    /// Deletes segments wholly before `offset`, and snapshots that end before it.
    package func release(before offset: Offset, now: Moment) throws(MetadataStoreError) {
        do {
            if offset > log.startOffset { try log.deleteRecords(before: offset) }
            _ = try log.enforceRetention(now: now, committed: log.endOffset)
            try log.dueRemovals(now: now.instant)?.perform()
            for entry in try files.list(folder) {
                guard let id = SnapshotID(fileName: entry.name), id.end < offset else { continue }
                try files.removeIfPresent(folder + "/" + entry.name)
            }
        } catch {
            throw MetadataStoreError("\(error)")
        }
    }

    /// Clean stop.
    package func close() throws(MetadataStoreError) {
        do throws(StorageError) {
            try log.close()
        } catch {
            throw MetadataStoreError(error.description)
        }
    }
}
