/// A cursor over bytes that somebody else owns: big-endian integers, variable-length integers,
/// runs of bytes. Every read is checked against the end; nothing traps and nothing is allocated
/// from a length that the input does not hold.
///
/// The memory must stay in place while the reader is used: it is made for the duration of a call.
@usableFromInline
package struct ByteReader {
    @usableFromInline let base: UnsafeRawPointer
    /// Bytes in all.
    @usableFromInline package let end: Int
    /// Bytes read.
    @usableFromInline package internal(set) var position: Int
    /// How much memory, in bytes, what is read may still take as arrays. An element of two bytes
    /// can become one of a hundred: without a limit a frame of 100 MiB would take gigabytes.
    @usableFromInline package var memoryLeft = 128 << 20

    @inlinable
    package init(_ bytes: UnsafeRawBufferPointer) {
        // An empty buffer may have no base address; any address serves, as nothing is read.
        base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped
        end = bytes.count
        position = 0
    }

    /// Reads `range` of `bytes` with positions counted from the start of `bytes`.
    @inlinable
    package init(_ bytes: UnsafeRawBufferPointer, range: Range<Int>) {
        precondition(range.upperBound <= bytes.count, "a reader stays within its bytes")
        base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped
        end = range.upperBound
        position = range.lowerBound
    }

    @inlinable package var remaining: Int { end &- position }
    @inlinable package var isAtEnd: Bool { position == end }

    @inlinable @inline(__always)
    package mutating func readInteger<T: FixedWidthInteger & BitwiseCopyable>(
        as type: T.Type = T.self
    ) throws(CodecError) -> T {
        let size = MemoryLayout<T>.size
        guard end &- position >= size else { throw .truncated(at: position) }
        let value = T(bigEndian: base.loadUnaligned(fromByteOffset: position, as: T.self))
        position &+= size
        return value
    }

    @inlinable package mutating func readInt8() throws(CodecError) -> Int8 { try readInteger() }
    @inlinable package mutating func readInt16() throws(CodecError) -> Int16 { try readInteger() }
    @inlinable package mutating func readInt32() throws(CodecError) -> Int32 { try readInteger() }
    @inlinable package mutating func readInt64() throws(CodecError) -> Int64 { try readInteger() }
    @inlinable package mutating func readUInt8() throws(CodecError) -> UInt8 { try readInteger() }
    @inlinable package mutating func readUInt16() throws(CodecError) -> UInt16 { try readInteger() }
    @inlinable package mutating func readUInt32() throws(CodecError) -> UInt32 { try readInteger() }
    @inlinable package mutating func readUInt64() throws(CodecError) -> UInt64 { try readInteger() }
    @inlinable
    package mutating func readDouble() throws(CodecError) -> Double {
        Double(bitPattern: try readInteger())
    }
    @inlinable
    package mutating func readBool() throws(CodecError) -> Bool { try readUInt8() != 0 }
    @inlinable
    package mutating func readUuid() throws(CodecError) -> Uuid {
        Uuid(high: try readInteger(), low: try readInteger())
    }

    /// An unsigned variable-length integer of at most five bytes (Kafka's `uvarint`).
    @inlinable
    package mutating func readUnsignedVarint() throws(CodecError) -> UInt32 {
        let start = position
        var value: UInt32 = 0
        var shift: UInt32 = 0
        while true {
            let byte = try readUInt8()
            if shift == 28, byte > 0x0F { throw .overlongVarint(at: start) }
            value |= UInt32(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift &+= 7
        }
    }

    /// An unsigned variable-length integer of at most ten bytes.
    @inlinable
    package mutating func readUnsignedVarlong() throws(CodecError) -> UInt64 {
        let start = position
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try readUInt8()
            if shift == 63, byte > 1 { throw .overlongVarint(at: start) }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift &+= 7
        }
    }

    /// A zig-zag variable-length Int32 (Kafka's `varint`).
    @inlinable
    package mutating func readVarint() throws(CodecError) -> Int32 {
        let raw = try readUnsignedVarint()
        return Int32(bitPattern: raw >> 1) ^ -Int32(bitPattern: raw & 1)
    }

    /// A zig-zag variable-length Int64 (Kafka's `varlong`).
    @inlinable
    package mutating func readVarlong() throws(CodecError) -> Int64 {
        let raw = try readUnsignedVarlong()
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    /// A variable-length integer of one byte or two; nil, and nothing is read, if it is longer or
    /// the last byte that there is.
    @inlinable @inline(__always)
    mutating func readShort() -> UInt32? {
        guard end &- position >= 2 else { return nil }
        let first = base.load(fromByteOffset: position, as: UInt8.self)
        guard first >= 0x80 else {
            position &+= 1
            return UInt32(first)
        }
        let second = base.load(fromByteOffset: position &+ 1, as: UInt8.self)
        guard second < 0x80 else { return nil }
        position &+= 2
        return UInt32(first & 0x7F) | UInt32(second) << 7
    }

    /// `readVarint` where speed counts and most are short: the fields of records.
    @inlinable @inline(__always)
    package mutating func readShortVarint() throws(CodecError) -> Int32 {
        guard let raw = readShort() else { return try readVarint() }
        return Int32(bitPattern: raw >> 1) ^ -Int32(bitPattern: raw & 1)
    }

    /// `readVarlong` where speed counts and most are short.
    @inlinable @inline(__always)
    package mutating func readShortVarlong() throws(CodecError) -> Int64 {
        guard let raw = readShort() else { return try readVarlong() }
        return Int64(raw >> 1) ^ -Int64(raw & 1)
    }

    /// The next `count` bytes, in place; valid as long as the memory is.
    @inlinable
    package mutating func readSlice(_ count: Int) throws(CodecError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= end &- position else { throw .impossibleLength(at: position) }
        let slice = UnsafeRawBufferPointer(start: base + position, count: count)
        position &+= count
        return slice
    }

    /// The bytes read since `start`, in place.
    @inlinable
    package func slice(from start: Int) -> UnsafeRawBufferPointer {
        precondition(start >= 0 && start <= position, "a slice ends where the reader stands")
        return UnsafeRawBufferPointer(start: base + start, count: position &- start)
    }

    /// The place of the next `count` bytes, which are passed over.
    @inlinable
    package mutating func readRange(_ count: Int) throws(CodecError) -> Range<Int> {
        let start = position
        try skip(count)
        return start..<position
    }

    @inlinable
    package mutating func readBytes(_ count: Int) throws(CodecError) -> [UInt8] {
        Array(try readSlice(count))
    }

    /// Takes an array of `count` elements of `stride` bytes in memory from what may still be used.
    @inlinable
    package mutating func charge(_ count: Int, stride: Int, at start: Int) throws(CodecError) {
        guard count > 0 else { return }
        // What malloc and the array's header take, whatever its size.
        let overhead = 48
        guard count <= (memoryLeft &- overhead) / stride else {
            throw .impossibleLength(at: start)
        }
        memoryLeft &-= overhead &+ count &* stride
    }

    /// `count` bytes of UTF-8.
    package mutating func readText(_ count: Int) throws(CodecError) -> String {
        let start = position
        let slice = try readSlice(count)
        guard let text = String(validating: slice, as: UTF8.self) else {
            throw .invalidText(at: start)
        }
        return text
    }

    @inlinable
    package mutating func skip(_ count: Int) throws(CodecError) {
        guard count >= 0, count <= end &- position else { throw .impossibleLength(at: position) }
        position &+= count
    }
}
