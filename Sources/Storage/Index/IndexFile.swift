/// An index of a segment: entries of one size in ascending order, in a file of Kafka's format.
///
/// New entries collect in memory and go to the file with an append, 64 at a time; what was handed
/// to a writer stays here until it is known to be written. Entries are read where they lie: nothing
/// is loaded for a partition that nobody reads.
final class IndexFile {
    /// Entries that may wait in memory: under 1 KiB, one write each 256 KiB of log.
    static let waitingMax = 64

    let slot: FileSlot
    let entrySize: Int
    /// Entries in the file.
    private(set) var storedCount: Int
    /// Entries after those.
    private var tail: [UInt8] = []
    /// How many of the tail's entries a writer has.
    private var handedCount = 0

    init(slot: FileSlot, entrySize: Int, storedCount: Int) {
        self.slot = slot
        self.entrySize = entrySize
        self.storedCount = storedCount
    }

    var count: Int { storedCount + tail.count / entrySize }

    /// Adds an entry's bytes.
    func append(_ bytes: (UnsafeMutableRawBufferPointer) -> Void) {
        let start = tail.count
        tail.append(contentsOf: repeatElement(0, count: entrySize))
        tail.withUnsafeMutableBytes { bytes(UnsafeMutableRawBufferPointer(rebasing: $0[start...])) }
    }

    /// A write of what waits, if it is enough to be worth one.
    func takeWrite() throws(FileFault) -> SideWrite? {
        let first = handedCount * entrySize
        guard tail.count - first >= Self.waitingMax * entrySize else { return nil }
        let write = SideWrite(
            file: try slot.open(), position: Int64(storedCount * entrySize + first),
            bytes: Array(tail[first...]))
        handedCount = tail.count / entrySize
        return write
    }

    /// A write of `takeWrite` was done.
    func confirm(_ write: SideWrite) {
        let end = (Int(write.position) + write.bytes.count) / entrySize
        guard end > storedCount else { return }  // written again meanwhile by `store`
        let done = end - storedCount
        tail.removeFirst(done * entrySize)
        storedCount = end
        handedCount = max(0, handedCount - done)
    }

    /// Writes all that waits, now.
    func store() throws(FileFault) {
        guard !tail.isEmpty else { return }
        try slot.open().write(tail, at: Int64(storedCount * entrySize))
        storedCount += tail.count / entrySize
        tail = []
        handedCount = 0
    }

    /// Drops the entries from `count` on, in memory and in the file.
    func truncate(to count: Int) throws(FileFault) {
        precondition(count >= 0 && count <= self.count, "an index is cut within its entries")
        try store()
        try slot.open().truncate(to: Int64(count * entrySize))
        storedCount = count
    }

    /// Replaces everything by `bytes`.
    func replace(with bytes: [UInt8]) throws(FileFault) {
        let file = try slot.open()
        try file.truncate(to: 0)
        if !bytes.isEmpty { try file.write(bytes, at: 0) }
        tail = []
        handedCount = 0
        storedCount = bytes.count / entrySize
    }

    /// Calls `body` with the bytes of an entry.
    func withEntry<R>(
        _ position: Int, _ body: (UnsafeRawBufferPointer) -> R
    ) throws(FileFault) -> R {
        precondition(position >= 0 && position < count, "an entry read is one that exists")
        if position >= storedCount {
            let start = (position - storedCount) * entrySize
            return tail.withUnsafeBytes {
                body(UnsafeRawBufferPointer(rebasing: $0[start..<start + entrySize]))
            }
        }
        var space: (UInt64, UInt64) = (0, 0)
        let file = try slot.open()
        var fault: FileFault?
        let result = withUnsafeMutableBytes(of: &space) { buffer -> R in
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<entrySize])
            do throws(FileFault) {
                // Shorter than its count says: somebody cut the file; zeros are found wrong later.
                _ = try file.read(into: target, at: Int64(position * entrySize))
            } catch {
                fault = error
            }
            return body(UnsafeRawBufferPointer(target))
        }
        if let fault { throw fault }
        return result
    }

    /// The last entry for which `isAtOrBefore` holds; nil if it holds for none.
    func lastEntry(
        where isAtOrBefore: (UnsafeRawBufferPointer) -> Bool
    ) throws(FileFault) -> Int? {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if try withEntry(middle, isAtOrBefore) { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }
}
