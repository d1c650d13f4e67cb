import MillraceBase
import MillraceRecords

/// What was found in a partition's folder.
struct LoadedLog {
    var segments: [Segment] = []
    var epochs = LeaderEpochs()
    var producers = ProducerStates()
    var topicID: TopicID?
    var start = Offset.zero
    var end = Offset.zero
    var flushed = Offset.zero
    var bytesCut: Int64 = 0
    var isNew = false
    var unsyncedFiles: [String] = []
}

/// Opens a partition's folder: the order is that of Kafka's LogLoader.
struct LogLoader {
    let folder: LogFolder
    let config: LogConfig
    let now: Moment
    private var log = LoadedLog()
    private var snapshots: [Int64] = []
    /// Segments whose indexes must be made anew though they need no recovery.
    private var isDamaged: Set<Int64> = []
    private var hasEpochFile = false

    init(folder: LogFolder, config: LogConfig, now: Moment) {
        self.folder = folder
        self.config = config
        self.now = now
    }

    private var fileSystem: any FileSystem { folder.fileSystem }

    mutating func load(topicID: TopicID?) throws(StorageError) -> LoadedLog {
        try folder.checkOnline()
        try prepareFolder()
        try loadMetadata(topicID)
        let checkpoints = folder.directory.found
        var recoveryPoint = Offset.zero
        // What is noted of a folder that is new was another partition of the name.
        if !log.isNew {
            log.start = max(.zero, checkpoints.startOffsets[folder.name] ?? .zero)
            recoveryPoint = max(.zero, checkpoints.recoveryPoints[folder.name] ?? .zero)
        }
        try guarded { loader throws(FileFault) in try loader.collectSegments() }
        try loadEpochs()
        if log.segments.isEmpty { try addEmptySegment(at: log.start) }
        if folder.directory.wasStoppedCleanly {
            try openClean()
        } else {
            try recover(from: recoveryPoint)
        }
        if log.end < log.start { try restartAtStart() }
        log.start = max(log.start, log.segments[0].baseOffset)
        log.flushed =
            folder.directory.wasStoppedCleanly && log.bytesCut == 0
            ? log.end : min(recoveryPoint, log.end)
        try settleEpochs()
        // Of the snapshots of former stops only the last may be of use.
        let bases = Set(log.segments.map(\.baseOffset.rawValue))
        let latest = snapshots.max()
        try dropSnapshots { !bases.contains($0) && $0 != latest }
        return log
    }

    private mutating func guarded<T>(
        _ body: (inout LogLoader) throws(FileFault) -> T
    ) throws(StorageError) -> T {
        var copy = self
        defer { self = copy }
        return try folder.guarded { () throws(FileFault) in try body(&copy) }
    }

    /// What the producers were at `end` of a log that is open and was cut there. Snapshots beyond
    /// are removed.
    mutating func producers(
        of segments: [Segment], end: Offset
    ) throws(StorageError) -> ProducerStates {
        log.segments = segments
        log.end = end
        hasEpochFile = true
        let entries = try folder.guarded { () throws(FileFault) in
            try fileSystem.list(folder.path)
        }
        for entry in entries {
            guard let (offset, kind) = SegmentFileKind.parse(entry.name), kind == .snapshot
            else { continue }
            snapshots.append(offset)
        }
        try dropSnapshots { $0 > end.rawValue }
        try loadProducers(upTo: end)
        return log.producers
    }

    // Folder and metadata

    private mutating func prepareFolder() throws(StorageError) {
        log.isNew = try folder.guarded { () throws(FileFault) in
            if try fileSystem.attributes(folder.path) != nil { return false }
            try fileSystem.createDirectory(folder.path)
            return true
        }
    }

    private mutating func loadMetadata(_ topicID: TopicID?) throws(StorageError) {
        let path = folder.path(PartitionMetadataFile.name)
        let bytes = try folder.guarded { () throws(FileFault) in try fileSystem.contents(path) }
        if let bytes, let found = try metadata(bytes, path: path) {
            if let topicID, topicID != found {
                throw .foreign(
                    directory: folder.path, property: "topic_id", found: "\(found.uuid)",
                    expected: "\(topicID.uuid)")
            }
            log.topicID = found
        } else if let topicID {
            try folder.guarded { () throws(FileFault) in
                try fileSystem.replaceContents(
                    path, with: PartitionMetadataFile.encode(topicID), durably: false)
            }
            log.unsyncedFiles.append(path)
            log.topicID = topicID
        }
    }

    /// The topic id; nil if the file was torn by a crash. It is written without a sync, so that a
    /// new partition costs none, and becomes durable with the first flush: torn, it says that
    /// nothing of this log was ever flushed.
    private func metadata(_ bytes: [UInt8], path: String) throws(StorageError) -> TopicID? {
        do throws(StorageError) {
            return try PartitionMetadataFile.decode(bytes, path: path)
        } catch {
            if folder.directory.wasStoppedCleanly { throw error }
            return nil
        }
    }

    // Segments

    private mutating func collectSegments() throws(FileFault) {
        var entries: [DirectoryEntry] = []
        for entry in try fileSystem.list(folder.path) where !entry.attributes.isDirectory {
            if entry.name.hasSuffix(".deleted") || entry.name.hasSuffix(".cleaned")
                || entry.name.hasSuffix(".tmp")
            {
                try fileSystem.removeIfPresent(folder.path(entry.name))
            } else {
                entries.append(entry)
            }
        }
        if entries.contains(where: { $0.name.hasSuffix(".swap") }) {
            try SwapCompletion(folder: folder).run(entries.map(\.name))
            entries = try fileSystem.list(folder.path).filter { !$0.attributes.isDirectory }
        }
        var sizes: [SegmentFileKind: [Int64: Int64]] = [:]
        for entry in entries {
            guard let (offset, kind) = SegmentFileKind.parse(entry.name) else { continue }
            sizes[kind, default: [:]][offset] = entry.attributes.size
        }
        snapshots = (sizes[.snapshot] ?? [:]).keys.sorted()
        let logs = sizes[.log] ?? [:]
        for kind in [SegmentFileKind.index, .timeindex, .txnindex] {
            for offset in (sizes[kind] ?? [:]).keys where logs[offset] == nil {
                try fileSystem.removeIfPresent(folder.path(kind.name(of: offset)))
            }
        }
        for (offset, size) in logs.sorted(by: { $0.key < $1.key }) {
            let index = sizes[.index]?[offset]
            let times = sizes[.timeindex]?[offset]
            addSegment(offset, size: size, index: index, times: times)
        }
    }

    private mutating func addSegment(_ offset: Int64, size: Int64, index: Int64?, times: Int64?) {
        let (indexSize, timeSize) = (Int64(OffsetIndexEntry.size), Int64(TimeIndexEntry.size))
        let isSound =
            index.map { $0 % indexSize == 0 } ?? false && times.map { $0 % timeSize == 0 } ?? false
        if !isSound, size > 0 { isDamaged.insert(offset) }
        log.segments.append(
            Segment(
                folder: folder, baseOffset: Offset(offset), size: size,
                offsetCount: isSound ? Int((index ?? 0) / indexSize) : 0,
                timeCount: isSound ? Int((times ?? 0) / timeSize) : 0, now: now.timestamp))
    }

    private mutating func addEmptySegment(at offset: Offset) throws(StorageError) {
        let segment = Segment(folder: folder, baseOffset: offset, now: now.timestamp)
        try folder.guarded { () throws(FileFault) in try segment.create() }
        log.segments.append(segment)
        log.end = offset
    }

    // Clean stop

    /// Nothing is scanned but the batches after the last index entry, for the log's end.
    private mutating func openClean() throws(StorageError) {
        for segment in log.segments where isDamaged.contains(segment.baseOffset.rawValue) {
            try folder.guarded { () throws(FileFault) in
                _ = try SegmentRecovery.run(segment, config: config) { _, _ in }
                segment.reset(size: segment.size)
            }
        }
        let last = log.segments[log.segments.count - 1]
        let end = try folder.guarded { () throws(FileFault) in try TailScan.end(of: last) }
        if let end {
            log.end = end
            try loadProducers(upTo: log.end)
        } else {
            // Bytes after the last batch, or an index that lies: as after a crash.
            try recover(from: last.baseOffset)
        }
    }

    // Unclean stop

    private mutating func recover(from recoveryPoint: Offset) throws(StorageError) {
        let first = max(0, (log.segments.lastIndex { $0.baseOffset <= recoveryPoint } ?? 0))
        for segment in log.segments[..<first]
        where isDamaged.contains(segment.baseOffset.rawValue) {
            try folder.guarded { () throws(FileFault) in
                _ = try SegmentRecovery.run(segment, config: config) { _, _ in }
                segment.reset(size: segment.size)
            }
        }
        let firstBase = log.segments[first].baseOffset
        // What later snapshots say was written before the crash and is found out again.
        try dropSnapshots { $0 > firstBase.rawValue }
        try loadProducers(upTo: firstBase)
        log.end = firstBase
        for index in first..<log.segments.count {
            if index > first { try writeSnapshot(at: log.segments[index].baseOffset) }
            guard try recoverSegment(log.segments[index]) else {
                try removeSegments(after: index)
                break
            }
        }
    }

    /// - Returns: whether the segment was sound to its end.
    private mutating func recoverSegment(_ segment: Segment) throws(StorageError) -> Bool {
        var producers = log.producers
        var epochs = log.epochs
        let instant = now.instant
        let outcome = try folder.guarded { () throws(FileFault) in
            try SegmentRecovery.run(segment, config: config, mends: true) { header, marker in
                if header.leaderEpoch > epochs.latest ?? .none {
                    epochs.assign(header.leaderEpoch, at: header.baseOffset)
                }
                producers.update(header, marker: marker, now: instant)
            }
        }
        log.producers = producers
        log.epochs = epochs
        log.end = max(segment.baseOffset, outcome.nextOffset)
        let cut = segment.size - outcome.validBytes
        if cut > 0 {
            log.bytesCut += cut
            try folder.guarded { () throws(FileFault) in
                let file = try segment.log.open()
                try file.truncate(to: outcome.validBytes)
                // What was cut must not come back under what is written in its place, should power
                // fail once more: a sound batch may have stood behind a torn one.
                try file.sync()
            }
        }
        segment.reset(size: outcome.validBytes)
        return cut <= 0
    }

    /// After a cut nothing that follows belongs to this log.
    private mutating func removeSegments(after index: Int) throws(StorageError) {
        for segment in log.segments[(index + 1)...] {
            log.bytesCut += segment.size
            segment.close()
            try folder.guarded { () throws(FileFault) in
                for name in segment.fileNames() {
                    try fileSystem.removeIfPresent(folder.path(name))
                }
            }
        }
        log.segments.removeSubrange((index + 1)...)
    }

    /// The start offset lies beyond all that is there: the records before it were deleted, and what
    /// was written since is lost. The log goes on at the start offset.
    private mutating func restartAtStart() throws(StorageError) {
        for segment in log.segments {
            segment.close()
            try folder.guarded { () throws(FileFault) in
                for name in segment.fileNames() {
                    try fileSystem.removeIfPresent(folder.path(name))
                }
            }
        }
        log.segments = []
        log.producers.removeAll()
        log.epochs = LeaderEpochs()
        try addEmptySegment(at: log.start)
    }

    // Producers

    /// The producers as of `end`: from the last snapshot before it, and the headers of the batches
    /// since then.
    private mutating func loadProducers(upTo end: Offset) throws(StorageError) {
        var from = log.segments[0].baseOffset
        for offset in snapshots.reversed() where offset <= end.rawValue {
            let path = folder.path(SegmentFileKind.snapshot.name(of: offset))
            let bytes = try folder.guarded { () throws(FileFault) in
                try fileSystem.contents(path)
            }
            do throws(SnapshotDefect) {
                let snapshot = try ProducerSnapshotFile.decode(bytes ?? [])
                log.producers = ProducerSnapshotFile.states(of: snapshot, now: now.instant)
                from = max(from, Offset(offset))
                break
            } catch {
                // Torn: an older one and more batches tell the same.
                try folder.guarded { () throws(FileFault) in
                    try fileSystem.removeIfPresent(path)
                }
            }
        }
        for segment in log.segments where segment.baseOffset < end {
            if segment.baseOffset + Int64(Int32.max) < from { continue }
            try replay(segment, from: from, to: end)
        }
    }

    private mutating func replay(
        _ segment: Segment, from: Offset, to end: Offset
    ) throws(StorageError) {
        let isWanted = log.segments.last === segment || nextBase(of: segment) > from
        guard isWanted, from < end else { return }
        try guarded { loader throws(FileFault) in
            let file = try segment.log.open()
            let entry = try segment.indexes.entry(atOrBefore: from)
            var scanner = BatchScanner(
                file, from: entry?.position ?? 0, to: segment.written, chunk: 64 << 10)
            while case .batch(let header, let position) = try scanner.nextHeader() {
                guard header.baseOffset >= from, header.baseOffset < end else { continue }
                if header.leaderEpoch > loader.log.epochs.latest ?? .none, !loader.hasEpochFile {
                    loader.log.epochs.assign(header.leaderEpoch, at: header.baseOffset)
                }
                guard header.hasProducerID else { continue }
                var marker: Int32?
                if header.attributes.isControl {
                    let bytes = try file.bytes(at: position, count: header.byteCount)
                    marker = bytes.withUnsafeBytes { ControlMarker.coordinatorEpoch(header, $0) }
                }
                loader.log.producers.update(header, marker: marker, now: loader.now.instant)
            }
        }
    }

    private func nextBase(of segment: Segment) -> Offset {
        let index = log.segments.firstIndex { $0 === segment } ?? 0
        return index + 1 < log.segments.count ? log.segments[index + 1].baseOffset : log.end
    }

    private mutating func dropSnapshots(where isStale: (Int64) -> Bool) throws(StorageError) {
        for offset in snapshots where isStale(offset) {
            try folder.guarded { () throws(FileFault) in
                try fileSystem.removeIfPresent(
                    folder.path(SegmentFileKind.snapshot.name(of: offset)))
            }
        }
        snapshots.removeAll(where: isStale)
    }

    private mutating func writeSnapshot(at offset: Offset) throws(StorageError) {
        let path = folder.path(SegmentFileKind.snapshot.name(of: offset.rawValue))
        let bytes = ProducerSnapshotFile.encode(log.producers)
        try folder.guarded { () throws(FileFault) in
            try fileSystem.replaceContents(path, with: bytes, durably: false)
        }
        log.unsyncedFiles.append(path)
        snapshots.append(offset.rawValue)
    }

    // Leader epochs

    private mutating func loadEpochs() throws(StorageError) {
        let path = folder.path(LeaderEpochs.fileName)
        let bytes = try folder.guarded { () throws(FileFault) in try fileSystem.contents(path) }
        guard let bytes else { return }
        do throws(StorageError) {
            log.epochs = LeaderEpochs(try Checkpoint.decodeEpochs(bytes, path: path))
            hasEpochFile = true
        } catch {
            // A torn file: the batches tell the epochs that wrote them.
            hasEpochFile = false
        }
    }

    /// Epochs that begin after the log's end, or end before its start, are gone.
    private mutating func settleEpochs() throws(StorageError) {
        if !hasEpochFile, log.epochs.entries.isEmpty { try readEpochs() }
        let former = log.epochs.entries
        // An epoch that begins at the end wrote nothing: its leader, if it leads still, begins it
        // again.
        _ = log.epochs.truncateEnd(to: log.end)
        _ = log.epochs.truncateStart(to: log.start)
        guard former != log.epochs.entries || !hasEpochFile || log.bytesCut > 0 else { return }
        let bytes = Checkpoint.encode(log.epochs.entries)
        try folder.guarded { () throws(FileFault) in
            try fileSystem.replaceContents(
                folder.path(LeaderEpochs.fileName), with: bytes, durably: !log.isNew)
        }
    }

    private mutating func readEpochs() throws(StorageError) {
        for segment in log.segments {
            try guarded { loader throws(FileFault) in
                var scanner = BatchScanner(
                    try segment.log.open(), from: 0, to: segment.written, chunk: 64 << 10)
                while case .batch(let header, _) = try scanner.nextHeader() {
                    if header.leaderEpoch > loader.log.epochs.latest ?? .none {
                        loader.log.epochs.assign(header.leaderEpoch, at: header.baseOffset)
                    }
                }
            }
        }
    }
}
