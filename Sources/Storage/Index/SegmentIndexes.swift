package import MillraceBase

/// An entry of an offset index: where in the segment the batch begins whose last offset it is.
package struct OffsetIndexEntry: Hashable, Sendable {
    package static let size = 8
    package var offset: Offset
    package var position: Int64

    package init(offset: Offset, position: Int64) {
        self.offset = offset
        self.position = position
    }

    init(_ bytes: UnsafeRawBufferPointer, base: Offset) {
        let relative = Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: Int32.self))
        let place = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        offset = base + Int64(relative)
        // Without a sign: a damaged entry points behind the segment, never before it.
        position = Int64(place)
    }

    func store(_ bytes: UnsafeMutableRawBufferPointer, base: Offset) {
        bytes.storeBytes(
            of: Int32(truncatingIfNeeded: offset - base).bigEndian, toByteOffset: 0, as: Int32.self)
        bytes.storeBytes(
            of: Int32(truncatingIfNeeded: position).bigEndian, toByteOffset: 4, as: Int32.self)
    }
}

/// An entry of a time index: the largest timestamp up to a batch's last offset.
package struct TimeIndexEntry: Hashable, Sendable {
    package static let size = 12
    package var timestamp: Timestamp
    package var offset: Offset

    package init(timestamp: Timestamp, offset: Offset) {
        self.timestamp = timestamp
        self.offset = offset
    }

    init(_ bytes: UnsafeRawBufferPointer, base: Offset) {
        timestamp = Timestamp(
            Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: Int64.self)))
        let relative = Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: Int32.self))
        offset = base + Int64(relative)
    }

    func store(_ bytes: UnsafeMutableRawBufferPointer, base: Offset) {
        bytes.storeBytes(of: timestamp.rawValue.bigEndian, toByteOffset: 0, as: Int64.self)
        bytes.storeBytes(
            of: Int32(truncatingIfNeeded: offset - base).bigEndian, toByteOffset: 8, as: Int32.self)
    }
}

/// Both indexes of a segment, and when an entry is due. The rules are those of Kafka's LogSegment,
/// so that either program writes the same entries for the same batches.
final class SegmentIndexes {
    let base: Offset
    let offsets: IndexFile
    let times: IndexFile
    /// The last time entry, which the next must exceed; read when first needed.
    private var lastTime: TimeIndexEntry?
    /// The offset of the last offset entry.
    private var lastIndexed: Offset
    private var bytesSinceEntry: Int64 = 0
    /// The largest timestamp and the last offset of its batch, so far.
    private(set) var maxTime: TimeIndexEntry

    init(
        folder: LogFolder, base: Offset, offsetCount: Int = 0, timeCount: Int = 0
    ) {
        self.base = base
        offsets = IndexFile(
            slot: FileSlot(folder: folder, baseOffset: base.rawValue, kind: .index),
            entrySize: OffsetIndexEntry.size, storedCount: offsetCount)
        times = IndexFile(
            slot: FileSlot(folder: folder, baseOffset: base.rawValue, kind: .timeindex),
            entrySize: TimeIndexEntry.size, storedCount: timeCount)
        maxTime = TimeIndexEntry(timestamp: .none, offset: base)
        lastIndexed = base
    }

    /// Whether a new entry may not fit into `bytesMax` any more: the segment is rolled.
    func isFull(bytesMax: Int) -> Bool {
        offsets.count >= bytesMax / OffsetIndexEntry.size
            || times.count >= bytesMax / TimeIndexEntry.size - 1
    }

    /// Notes a batch that goes to `position`.
    func append(
        lastOffset: Offset, maxTimestamp: Timestamp, position: Int64, byteCount: Int, interval: Int
    ) throws(FileFault) {
        if maxTimestamp > maxTime.timestamp {
            maxTime = TimeIndexEntry(timestamp: maxTimestamp, offset: lastOffset)
        }
        // A damaged log may have offsets that go back; an index that did would find nothing.
        if bytesSinceEntry > Int64(interval), lastOffset > lastIndexed {
            let entry = OffsetIndexEntry(offset: lastOffset, position: position)
            offsets.append { entry.store($0, base: base) }
            lastIndexed = lastOffset
            try appendMaxTime()
            bytesSinceEntry = 0
        }
        bytesSinceEntry += Int64(byteCount)
    }

    /// Notes the largest timestamp so far, if it is larger than the last that was noted.
    func appendMaxTime() throws(FileFault) {
        let last = try lastTimeEntry()
        guard maxTime.timestamp > last?.timestamp ?? .none else { return }
        let entry = maxTime
        times.append { entry.store($0, base: base) }
        lastTime = entry
    }

    /// The last entry of the time index.
    func lastTimeEntry() throws(FileFault) -> TimeIndexEntry? {
        if lastTime == nil, times.count > 0 {
            lastTime = try times.withEntry(times.count - 1) { TimeIndexEntry($0, base: base) }
        }
        return lastTime
    }

    func lastOffsetEntry() throws(FileFault) -> OffsetIndexEntry? {
        guard offsets.count > 0 else { return nil }
        return try offsets.withEntry(offsets.count - 1) { OffsetIndexEntry($0, base: base) }
    }

    /// The last entry at or before `offset`.
    func entry(atOrBefore offset: Offset) throws(FileFault) -> OffsetIndexEntry? {
        let found = try offsets.lastEntry { OffsetIndexEntry($0, base: base).offset <= offset }
        guard let found else { return nil }
        return try offsets.withEntry(found) { OffsetIndexEntry($0, base: base) }
    }

    /// The last entry at or before `timestamp`.
    func entry(atOrBefore timestamp: Timestamp) throws(FileFault) -> TimeIndexEntry? {
        let found = try times.lastEntry { TimeIndexEntry($0, base: base).timestamp <= timestamp }
        guard let found else { return nil }
        return try times.withEntry(found) { TimeIndexEntry($0, base: base) }
    }

    /// Takes up a segment that is appended to again: what was noted, and how long ago.
    func resume(maxTime: TimeIndexEntry, lastIndexed: Offset, bytesSinceEntry: Int64) {
        self.lastIndexed = lastIndexed
        self.maxTime = maxTime
        self.bytesSinceEntry = bytesSinceEntry
    }

    /// Forgets everything: the segment is scanned anew. Files are written by `store`.
    func reset() throws(FileFault) {
        try offsets.replace(with: [])
        try times.replace(with: [])
        lastTime = nil
        lastIndexed = base
        bytesSinceEntry = 0
        maxTime = TimeIndexEntry(timestamp: .none, offset: base)
    }

    /// Drops the entries at and after `offset`.
    func truncate(to offset: Offset) throws(FileFault) {
        let keep = try offsets.lastEntry { OffsetIndexEntry($0, base: base).offset < offset }
        try offsets.truncate(to: keep.map { $0 + 1 } ?? 0)
        let keepTimes = try times.lastEntry { TimeIndexEntry($0, base: base).offset < offset }
        try times.truncate(to: keepTimes.map { $0 + 1 } ?? 0)
        lastTime = nil
    }

    /// Writes what waits in memory.
    func store() throws(FileFault) {
        try offsets.store()
        try times.store()
    }

    func close() {
        offsets.slot.close()
        times.slot.close()
    }
}
