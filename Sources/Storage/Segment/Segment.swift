import MillraceBase
import MillraceRecords

/// One segment of a log: its file of batches and its indexes. Only the last one grows.
final class Segment {
    let baseOffset: Offset
    let log: FileSlot
    let indexes: SegmentIndexes
    /// Bytes that have their place, written or not.
    private(set) var size: Int64
    /// Bytes that are written.
    var written: Int64
    /// When this process made or opened it: what a segment without timestamps is rolled by.
    let createdAt: Timestamp
    /// The first batch's largest timestamp, by which the segment is rolled; read when needed.
    private var firstTimestamp: Timestamp?
    /// The largest timestamp among the batches that are written; read when needed.
    private var writtenMaxTime: TimeIndexEntry?

    init(
        folder: LogFolder, baseOffset: Offset, size: Int64 = 0, offsetCount: Int = 0,
        timeCount: Int = 0, now: Timestamp
    ) {
        self.baseOffset = baseOffset
        self.size = size
        written = size
        createdAt = now
        log = FileSlot(folder: folder, baseOffset: baseOffset.rawValue, kind: .log)
        indexes = SegmentIndexes(
            folder: folder, base: baseOffset, offsetCount: offsetCount, timeCount: timeCount)
    }

    /// Makes the segment's files, empty.
    func create() throws(FileFault) {
        let fileSystem = log.folder.fileSystem
        _ = try fileSystem.open(indexes.offsets.slot.path, .replace)
        _ = try fileSystem.open(indexes.times.slot.path, .replace)
        _ = try log.open()
    }

    /// Whether an append of `bytes` up to `lastOffset` goes to a new segment (Kafka's shouldRoll).
    func mustRoll(
        for bytes: Int, lastOffset: Offset, maxTimestamp: Timestamp, config: LogConfig,
        jitterMs: Int64, now: Timestamp
    ) throws(FileFault) -> Bool {
        if size > config.segmentBytes - Int64(bytes) { return true }
        if lastOffset - baseOffset > Int64(Int32.max) || lastOffset < baseOffset { return true }
        if size > Int64(Int32.max) - Int64(bytes) { return true }
        if indexes.isFull(bytesMax: config.indexBytesMax) { return true }
        guard size > 0 else { return false }
        let waited: Int64
        if let first = try rollTimestamp(), first.rawValue >= 0 {
            waited = maxTimestamp.rawValue &- first.rawValue
        } else {
            waited = now.rawValue &- createdAt.rawValue
        }
        return waited > config.segmentMs - jitterMs
    }

    private func rollTimestamp() throws(FileFault) -> Timestamp? {
        if firstTimestamp == nil, written > 0 {
            var scanner = BatchScanner(try log.open(), from: 0, to: written, chunk: 64)
            if case .batch(let header, _) = try scanner.nextHeader() {
                firstTimestamp = header.maxTimestamp
            }
        }
        return firstTimestamp
    }

    /// Gives a batch its place.
    /// - Returns: where it begins.
    func stage(_ header: RecordBatchHeader, interval: Int) throws(FileFault) -> Int64 {
        let position = size
        _ = try largest()  // known before `wrote` needs it
        if position == 0 { firstTimestamp = header.maxTimestamp }
        try indexes.append(
            lastOffset: header.lastOffset, maxTimestamp: header.maxTimestamp, position: position,
            byteCount: header.byteCount, interval: interval)
        size += Int64(header.byteCount)
        return position
    }

    /// Notes the largest timestamp of what was written.
    func wrote(upTo position: Int64, maxTime: TimeIndexEntry) {
        precondition(position >= written, "what is written only grows")
        if let known = writtenMaxTime, maxTime.timestamp > known.timestamp {
            writtenMaxTime = maxTime
        }
        written = position
    }

    /// The largest timestamp that is written, and the last offset of its batch; none without one.
    func largest() throws(FileFault) -> TimeIndexEntry {
        if let writtenMaxTime { return writtenMaxTime }
        let none = TimeIndexEntry(timestamp: .none, offset: baseOffset)
        let found = try indexes.lastTimeEntry() ?? none
        writtenMaxTime = found
        return found
    }

    /// No more is appended: the indexes become final.
    func finish() throws(FileFault) {
        try indexes.appendMaxTime()
        try indexes.store()
    }

    /// Takes up a segment whose content was just scanned or cut.
    func reset(size: Int64) {
        self.size = size
        written = size
        firstTimestamp = nil
        writtenMaxTime = indexes.maxTime
    }

    func close() {
        log.close()
        indexes.close()
    }

    /// The names of its files that may exist.
    func fileNames() -> [String] {
        SegmentFileKind.allCases.map { $0.name(of: baseOffset.rawValue) }
    }
}

/// Where the last batches of a log are, so that a reader at the end asks no index.
struct TailPositions {
    /// A batch: offsets, inclusive and exclusive, and its place in the last segment.
    struct Entry {
        var baseOffset: Offset
        var nextOffset: Offset
        var position: Int64
        var byteCount: Int
    }

    static let most = 16
    private var entries: [Entry] = []
    private var oldest = 0

    mutating func add(_ entry: Entry) {
        if entries.count < Self.most {
            entries.append(entry)
        } else {
            entries[oldest] = entry
            oldest = (oldest + 1) % Self.most
        }
    }

    /// The batch that holds `offset`, if it is one of the last.
    func batch(with offset: Offset) -> Entry? {
        var index = entries.count
        while index > 0 {
            index -= 1
            let entry = entries[(oldest + index) % entries.count]
            if entry.nextOffset <= offset { return nil }
            if entry.baseOffset <= offset { return entry }
        }
        return nil
    }

    mutating func removeAll() {
        entries.removeAll()
        oldest = 0
    }
}
