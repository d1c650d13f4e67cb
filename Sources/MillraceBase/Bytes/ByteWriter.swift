/// A place in written bytes where `count` bytes from elsewhere belong.
@usableFromInline
package struct Splice: Hashable, Sendable {
    @usableFromInline package var position: Int
    @usableFromInline package var count: Int

    package init(position: Int, count: Int) {
        self.position = position
        self.count = count
    }
}

/// A growing buffer of bytes that is written once, front to back: the counterpart of `ByteReader`.
/// It owns its memory; `reset` keeps it for the next message, so that a loop encodes without
/// allocating.
@usableFromInline
package struct ByteWriter: ~Copyable {
    @usableFromInline var memory: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    /// Bytes written.
    @usableFromInline package internal(set) var count: Int

    /// Places where bytes from elsewhere belong that this buffer does not hold, in order.
    @usableFromInline package internal(set) var splices: [Splice] = []
    /// Bytes that ranges in what is written refer to; must outlive the writing.
    @usableFromInline package var source: UnsafeRawBufferPointer?

    @inlinable
    package init(capacity: Int = 256) {
        self.capacity = max(capacity, 64)
        memory = .allocate(byteCount: self.capacity, alignment: 8)
        count = 0
    }

    deinit { memory.deallocate() }

    /// Another writer that holds the same bytes in memory of its own.
    package borrowing func copy() -> ByteWriter {
        var copy = ByteWriter(capacity: capacity)
        copy.memory.copyMemory(from: memory, byteCount: count)
        (copy.count, copy.splices, copy.source) = (count, splices, source)
        return copy
    }

    /// Forgets what was written and keeps the memory.
    @inlinable
    package mutating func reset() {
        count = 0
        if !splices.isEmpty { splices.removeAll(keepingCapacity: true) }
    }

    /// Notes that `count` bytes from elsewhere belong here.
    package mutating func noteSplice(count: Int) {
        splices.append(Splice(position: self.count, count: count))
    }

    /// Inserts a variable-length integer before bytes that were written already.
    package mutating func insertUnsignedVarint(_ value: UInt32, at position: Int) {
        precondition(
            position >= 0 && position <= count, "what is inserted lies within what is written")
        let width = max(1, (38 - value.leadingZeroBitCount) / 7)
        let tail = count - position
        reserve(width + 10)  // so that writing the integer does not move the tail
        (memory + position + width).copyMemory(from: memory + position, byteCount: tail)
        // A splice at `position` was noted before what is inserted: it stays in front of it.
        for index in splices.indices where splices[index].position > position {
            splices[index].position += width
        }
        count = position
        writeUnsignedVarint(value)
        count += tail
    }

    @usableFromInline
    mutating func grow(by extra: Int) {
        capacity = max(capacity * 2, count + extra)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
        larger.copyMemory(from: memory, byteCount: count)
        memory.deallocate()
        memory = larger
    }

    @inlinable @inline(__always)
    package mutating func reserve(_ extra: Int) {
        if capacity &- count < extra { grow(by: extra) }
    }

    @inlinable @inline(__always)
    package mutating func writeInteger<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        reserve(MemoryLayout<T>.size)
        memory.storeBytes(of: value.bigEndian, toByteOffset: count, as: T.self)
        count &+= MemoryLayout<T>.size
    }

    @inlinable package mutating func writeDouble(_ value: Double) { writeInteger(value.bitPattern) }
    @inlinable package mutating func writeBool(_ value: Bool) {
        writeInteger(value ? 1 : 0 as UInt8)
    }
    @inlinable
    package mutating func writeUuid(_ value: Uuid) {
        writeInteger(value.high)
        writeInteger(value.low)
    }

    @inlinable
    package mutating func writeUnsignedVarint(_ value: UInt32) {
        writeUnsignedVarlong(UInt64(value))
    }

    @inlinable
    package mutating func writeUnsignedVarlong(_ value: UInt64) {
        reserve(10)
        var rest = value
        while rest > 0x7F {
            memory.storeBytes(
                of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            count &+= 1
            rest >>= 7
        }
        memory.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    @inlinable
    package mutating func writeVarint(_ value: Int32) {
        writeUnsignedVarint(UInt32(bitPattern: (value << 1) ^ (value >> 31)))
    }

    @inlinable
    package mutating func writeVarlong(_ value: Int64) {
        writeUnsignedVarlong(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    @inlinable
    package mutating func writeBytes(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
        reserve(bytes.count)
        (memory + count).copyMemory(from: source, byteCount: bytes.count)
        count &+= bytes.count
    }

    @inlinable
    package mutating func writeBytes(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { writeBytes($0) }
    }

    @inlinable
    package mutating func writeText(_ text: String) {
        var copy = text
        copy.withUTF8 { writeBytes(UnsafeRawBufferPointer($0)) }
    }

    /// Offers space for `bound` bytes to `body`, which fills a prefix and says how long it is.
    @inlinable
    package mutating func writeUninitialized(
        atMost bound: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        reserve(bound)
        let written = body(UnsafeMutableRawBufferPointer(start: memory + count, count: bound))
        precondition(written >= 0 && written <= bound, "a writer is filled within what it offered")
        count &+= written
    }

    /// What was written, to be changed in place; valid during the call.
    @inlinable
    package mutating func withMutableBytes<R, E: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeMutableRawBufferPointer(start: memory, count: count))
    }

    /// Overwrites bytes that were written before, such as a length that was not known then.
    @inlinable
    package mutating func overwriteInteger<T: FixedWidthInteger & BitwiseCopyable>(
        _ value: T, at position: Int
    ) {
        precondition(
            position >= 0 && position + MemoryLayout<T>.size <= count,
            "only written bytes are overwritten")
        memory.storeBytes(of: value.bigEndian, toByteOffset: position, as: T.self)
    }

    /// Drops what was written after `count` bytes.
    @inlinable
    package mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count, "a writer is cut within what it holds")
        self.count = count
    }

    /// What was written, valid during the call.
    @inlinable
    package func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E)
        -> R
    {
        try body(UnsafeRawBufferPointer(start: memory, count: count))
    }

    /// A copy of what was written.
    @inlinable
    package func array() -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: memory, count: count))
    }
}
