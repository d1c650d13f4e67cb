package import MillraceBase
internal import MillraceRecords

extension PartitionLog {
    // Retention

    /// Raises the start offset (DeleteRecords). Segments wholly before it go at the next
    /// `enforceRetention`.
    /// - Parameter offset: at most the high watermark; the caller has checked it.
    package func deleteRecords(before offset: Offset) throws(StorageError) {
        guard offset > startOffset else { return }
        precondition(offset <= endOffset, "only records that are there are deleted")
        startOffset = offset
        if epochs.truncateStart(to: offset) { try writeEpochs(durably: false) }
    }

    /// Removes old segments by time, size and start offset, and forgets expired producers.
    ///
    /// Ages are counted by record timestamps against a clock that does not jump
    /// (`WallClockGuard`).
    /// - Parameter committed: the high watermark: what lies above it stays.
    /// - Returns: how many segments were removed.
    @discardableResult
    package func enforceRetention(now: Moment, committed: Offset) throws(StorageError) -> Int {
        try folder.checkOnline()
        producerStates.expire(after: config.producerExpirationMs, now: now.instant)
        let time = clock.trusted(now)
        var count = try removeOldest(now: now, committed: committed) { _, next in
            next.map { $0 <= self.startOffset } ?? false
        }
        guard config.deletes else { return count }
        if config.retentionMs >= 0 {
            count += try removeOldest(now: now, committed: committed) {
                segment, _ throws(FileFault) in
                let largest = try segment.largest().timestamp
                // Without timestamps: from when this process knows the segment.
                let written = largest.rawValue >= 0 ? largest : segment.createdAt
                return time.rawValue &- written.rawValue > self.config.retentionMs
            }
        }
        if config.retentionBytes >= 0 {
            var excess = byteCount - config.retentionBytes
            count += try removeOldest(now: now, committed: committed) { segment, _ in
                guard excess - segment.size >= 0 else { return false }
                excess -= segment.size
                return true
            }
        }
        return count
    }

    /// Removes segments from the oldest on, as long as `isOld` holds.
    /// - Parameter isOld: is given the segment and the base offset of the next.
    private func removeOldest(
        now: Moment, committed: Offset, where isOld: (Segment, Offset?) throws(FileFault) -> Bool
    ) throws(StorageError) -> Int {
        var count = 0
        try folder.guarded { () throws(FileFault) in
            while count < segments.count {
                let segment = segments[count]
                let next = count + 1 < segments.count ? segments[count + 1].baseOffset : nil
                let isEmptyLast = next == nil && segment.size == 0
                guard committed >= next ?? stagedEndOffset, !isEmptyLast,
                    try isOld(segment, next)
                else { break }
                count += 1
            }
            guard count > 0 else { return }
            if count == segments.count { try roll(at: stagedEndOffset, now: now.timestamp) }
        }
        guard count > 0 else { return 0 }
        try remove(segments: 0..<count, now: now.instant)
        if segments[0].baseOffset > startOffset {
            startOffset = segments[0].baseOffset
            if epochs.truncateStart(to: startOffset) { try writeEpochs(durably: false) }
        }
        return count
    }

    /// Renames the segments' files to `.deleted`; they go after `file.delete.delay.ms`.
    private func remove(segments range: Range<Int>, now: Instant) throws(StorageError) {
        var paths: [String] = []
        try folder.guarded { () throws(FileFault) in
            for segment in segments[range] {
                segment.close()
                for name in segment.fileNames() {
                    let path = folder.path(name)
                    do throws(FileFault) {
                        try folder.fileSystem.rename(path, to: path + ".deleted")
                    } catch {
                        if error.isMissing { continue }
                        throw error
                    }
                    paths.append(path + ".deleted")
                }
            }
        }
        segments.removeSubrange(range)
        unsyncedNames += 1
        let delay = Duration.milliseconds(max(0, config.fileDeleteDelayMs))
        removals.append(Removal(due: now + delay, paths: paths))
    }

    /// When `dueRemovals` next has something.
    package var nextRemoval: Instant? { removals.first?.due }

    /// Files whose delay has passed: for a disk thread. Each is given once.
    package func dueRemovals(now: Instant) -> RemovalJob? {
        var paths: [String] = []
        while let first = removals.first, first.due <= now {
            paths += first.paths
            removals.removeFirst()
        }
        return paths.isEmpty ? nil : RemovalJob(paths: paths, fileSystem: folder.fileSystem)
    }

    // Flush

    /// Whether the topic's flush settings ask for a flush now, or a segment was finished since the
    /// last.
    package func needsFlush(now: Instant) -> Bool {
        guard endOffset > flushedOffset, !isFlushing else { return false }
        if endOffset - flushedOffset >= config.flushMessages { return true }
        if segments.count > 1, active.baseOffset > flushedOffset { return true }
        return flushDeadline.map { $0 <= now } ?? false
    }

    /// When `needsFlush` turns true by time alone; nil if never.
    package var flushDeadline: Instant? {
        guard config.flushMs < .max, let unflushedSince, endOffset > flushedOffset else {
            return nil
        }
        return unflushedSince + .milliseconds(config.flushMs)
    }

    /// A job that makes all that is written durable; nil if all is, or one is under way. One job
    /// covers all that came before it.
    package func beginFlush() throws(StorageError) -> FlushJob? {
        guard endOffset > flushedOffset, !isFlushing else { return nil }
        let job = try flushJob()
        isFlushing = true
        return job
    }

    private func flushJob() throws(StorageError) -> FlushJob {
        let job = try folder.guarded { () throws(FileFault) in
            var files: [any OpenFile] = []
            for segment in segments[segmentIndex(for: flushedOffset)...] {
                files.append(try segment.log.open())
                // The last segment's indexes are made again after a crash; those of a finished one
                // are not, if it lies before the recovery point.
                guard segment !== active else { continue }
                files.append(try segment.indexes.offsets.slot.open())
                files.append(try segment.indexes.times.slot.open())
            }
            for path in unsyncedFiles {
                guard try folder.fileSystem.attributes(path) != nil else { continue }
                files.append(try folder.fileSystem.open(path, .read))
            }
            var directories: [String] = []
            if unsyncedNames > 0 { directories.append(folder.path) }
            if isFolderUnsynced { directories.append(folder.directory.path) }
            return FlushJob(
                end: endOffset, files: files, directories: directories,
                fileSystem: folder.fileSystem)
        }
        unsyncedFiles = []
        unsyncedNames = 0
        isFolderUnsynced = false
        return job
    }

    /// The job of `beginFlush` was done: the recovery point moves.
    package func flushed(_ job: FlushJob, now: Instant) {
        isFlushing = false
        guard folder.directory.offlineCause == nil else { return }
        flushedOffset = max(flushedOffset, min(job.end, endOffset))
        unflushedSince = endOffset > flushedOffset ? now : nil
    }

    // Truncation

    /// Cuts the log at `offset` (a follower, or a quorum replica): the batch that holds it and all
    /// after it are gone. No append may be in flight.
    package func truncate(to offset: Offset, now: Moment) throws(StorageError) {
        precondition(pending.isEmpty && !isFlushing, "nothing is under way when a log is cut")
        guard offset < endOffset else { return }
        guard offset > segments[0].baseOffset else { return try restart(at: offset, now: now) }
        let index = segmentIndex(for: offset)
        if index + 1 < segments.count {
            try remove(segments: index + 1..<segments.count, now: now.instant)
        }
        let segment = active
        tail.removeAll()
        let position = try position(ofBatchWith: offset, in: segment)
        let end = try folder.guarded { () throws(FileFault) in
            try segment.indexes.truncate(to: offset)
            try segment.log.open().truncate(to: position)
            segment.reset(size: position)
            return try TailScan.end(of: segment)
        }
        guard let end else {
            throw .malformed(path: segment.log.path, reason: "no batches where it was cut")
        }
        (endOffset, stagedEndOffset) = (end, end)
        flushedOffset = min(flushedOffset, end)
        startOffset = min(startOffset, end)
        if epochs.truncateEnd(to: end) { try writeEpochs(durably: true) }
        try reloadProducers(now: now)
    }

    private func position(
        ofBatchWith offset: Offset, in segment: Segment
    ) throws(StorageError) -> Int64 {
        guard
            let slice = try read(
                from: max(offset, startOffset), maxBytes: 1, upTo: endOffset,
                minOneBatch: true), slice.segmentBaseOffset == segment.baseOffset
        else { return segment.written }
        return slice.position
    }

    /// Empties the log and begins at `offset`.
    package func restart(at offset: Offset, now: Moment) throws(StorageError) {
        precondition(pending.isEmpty && !isFlushing, "nothing is under way when a log is cut")
        try remove(segments: 0..<segments.count, now: now.instant)
        let segment = Segment(folder: folder, baseOffset: offset, now: now.timestamp)
        try folder.guarded { () throws(FileFault) in try segment.create() }
        segments = [segment]
        (startOffset, endOffset, stagedEndOffset) = (offset, offset, offset)
        flushedOffset = offset
        unflushedSince = nil
        tail.removeAll()
        producerStates.removeAll()
        epochs = LeaderEpochs()
        try writeEpochs(durably: true)
    }

    private func reloadProducers(now: Moment) throws(StorageError) {
        var loader = LogLoader(folder: folder, config: config, now: now)
        producerStates = try loader.producers(of: segments, end: endOffset)
    }

    // End

    /// Clean stop: everything is durable, indexes are final, the producers are in a snapshot.
    /// Blocks on the disk. No append may be in flight.
    package func close() throws(StorageError) {
        guard !isClosed else { return }
        precondition(pending.isEmpty, "appends are written before a log is closed")
        try folder.guarded { () throws(FileFault) in
            try active.finish()
            try writeSnapshot(at: endOffset)
        }
        let job = try flushJob()
        try folder.guarded { () throws(FileFault) in try job.perform() }
        flushedOffset = endOffset
        unflushedSince = nil
        isClosed = true
        for segment in segments { segment.close() }
    }

    /// Renames the folder to `<name>.<uuid>-delete`: the partition was deleted. The log is not used
    /// afterwards.
    /// - Returns: the folder's path, to be removed by `FileSystem.removeTree` on a disk thread.
    package func markForDeletion(_ id: Uuid) throws(StorageError) -> String {
        for segment in segments { segment.close() }
        folder.name = try folder.directory.putAside(folder.name, as: .delete, id)
        isClosed = true
        return folder.path
    }
}

extension Uuid {
    /// 32 hexadecimal digits.
    var hex: String {
        let text = [high, low].map { half in
            let digits = String(half, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return text.joined()
    }
}
