internal import MillraceBase

// The protocol's texts, bytes, arrays and tagged fields, in both forms: with int16 and int32
// lengths, and compact (KIP-482). Null is any negative length; where it is not allowed it is an
// error.
extension ByteReader {
    /// A length that may be null. Compact lengths are one more than they count.
    @inline(__always)
    private mutating func readCompactLength() throws(CodecError) -> Int? {
        let raw = try readUnsignedVarint()
        return raw == 0 ? nil : Int(raw) - 1
    }

    private mutating func readTextLength(_ flexible: Bool) throws(CodecError) -> Int? {
        if flexible { return try readCompactLength() }
        let length = try readInt16()
        return length < 0 ? nil : Int(length)
    }

    @inline(__always)
    private mutating func readLength(_ flexible: Bool) throws(CodecError) -> Int? {
        if flexible { return try readCompactLength() }
        let length = try readInt32()
        return length < 0 ? nil : Int(length)
    }

    /// A count of elements of `bytes` each at least, that the rest of the input can hold.
    private mutating func readCount(_ flexible: Bool, bytes: Int) throws(CodecError) -> Int? {
        let start = position
        guard let count = try readLength(flexible) else { return nil }
        guard count <= remaining / bytes else { throw .impossibleLength(at: start) }
        return count
    }

    mutating func readNullableString(
        _ flexible: Bool, nullable: Bool
    ) throws(CodecError) -> String? {
        let start = position
        guard let length = try readTextLength(flexible) else {
            guard nullable else { throw .unexpectedNull(at: start) }
            return nil
        }
        guard length <= Int(Int16.max) else { throw .impossibleLength(at: start) }
        return try readText(length)
    }

    mutating func readString(_ flexible: Bool) throws(CodecError) -> String {
        // Null was refused.
        try readNullableString(flexible, nullable: false) ?? ""
    }

    mutating func readNullableBytes(
        _ flexible: Bool, nullable: Bool
    ) throws(CodecError) -> [UInt8]? {
        let start = position
        guard let length = try readLength(flexible) else {
            guard nullable else { throw .unexpectedNull(at: start) }
            return nil
        }
        try charge(length, stride: 1, at: start)
        return try readBytes(length)
    }

    mutating func readBytes(_ flexible: Bool) throws(CodecError) -> [UInt8] {
        try readNullableBytes(flexible, nullable: false) ?? []
    }

    mutating func readNullableRecords(
        _ flexible: Bool, nullable: Bool
    ) throws(CodecError) -> RecordData? {
        let start = position
        guard let length = try readLength(flexible) else {
            guard nullable else { throw .unexpectedNull(at: start) }
            return nil
        }
        return .frame(try readRange(length))
    }

    mutating func readRecords(_ flexible: Bool) throws(CodecError) -> RecordData {
        try readNullableRecords(flexible, nullable: false) ?? .bytes([])
    }

    mutating func readNullableIntegers<T: FixedWidthInteger & BitwiseCopyable>(
        _ flexible: Bool, nullable: Bool
    ) throws(CodecError) -> [T]? {
        let start = position
        guard let count = try readCount(flexible, bytes: MemoryLayout<T>.size) else {
            guard nullable else { throw .unexpectedNull(at: start) }
            return nil
        }
        try charge(count, stride: MemoryLayout<T>.stride, at: start)
        var array: [T] = []
        array.reserveCapacity(count)
        for _ in 0..<count { array.append(try readInteger()) }
        return array
    }

    mutating func readIntegers<T: FixedWidthInteger & BitwiseCopyable>(
        _ flexible: Bool
    ) throws(CodecError) -> [T] {
        try readNullableIntegers(flexible, nullable: false) ?? []
    }

    mutating func readNullableStrings(
        _ flexible: Bool, nullable: Bool
    ) throws(CodecError) -> [String]? {
        let start = position
        guard let count = try readCount(flexible, bytes: 1) else {
            guard nullable else { throw .unexpectedNull(at: start) }
            return nil
        }
        try charge(count, stride: MemoryLayout<String>.stride, at: start)
        var array: [String] = []
        for _ in 0..<count { array.append(try readString(flexible)) }
        return array
    }

    mutating func readStrings(_ flexible: Bool) throws(CodecError) -> [String] {
        try readNullableStrings(flexible, nullable: false) ?? []
    }

    mutating func readNullableUuids(
        _ flexible: Bool, nullable: Bool
    ) throws(CodecError) -> [Uuid]? {
        let start = position
        guard let count = try readCount(flexible, bytes: 16) else {
            guard nullable else { throw .unexpectedNull(at: start) }
            return nil
        }
        try charge(count, stride: MemoryLayout<Uuid>.stride, at: start)
        var array: [Uuid] = []
        array.reserveCapacity(count)
        for _ in 0..<count { array.append(try readUuid()) }
        return array
    }

    mutating func readUuids(_ flexible: Bool) throws(CodecError) -> [Uuid] {
        try readNullableUuids(flexible, nullable: false) ?? []
    }

    @inline(__always)
    mutating func readStruct<T: VersionedStruct>(version: Int16) throws(CodecError) -> T {
        try T(from: &self, version: version)
    }

    /// A struct that may be null: −1 or, in a tagged field, 0 stands for null.
    mutating func readNullableStruct<T: VersionedStruct>(
        version: Int16, nullable: Bool, tagged: Bool
    ) throws(CodecError) -> T? {
        let start = position
        let isNull = tagged ? try readUnsignedVarint() == 0 : try readInt8() < 0
        guard isNull else { return try T(from: &self, version: version) }
        guard nullable else { throw .unexpectedNull(at: start) }
        return nil
    }

    mutating func readNullableStructs<T: VersionedStruct>(
        _ flexible: Bool, version: Int16, nullable: Bool
    ) throws(CodecError) -> [T]? {
        let start = position
        guard let count = try readCount(flexible, bytes: 1) else {
            guard nullable else { throw .unexpectedNull(at: start) }
            return nil
        }
        try charge(count, stride: MemoryLayout<T>.stride, at: start)
        var array: [T] = []
        // An element takes a byte at least, so a count may promise many more than follow: memory
        // grows with what is read.
        array.reserveCapacity(min(count, 64))
        for _ in 0..<count {
            let before = position
            array.append(try T(from: &self, version: version))
            // A struct without fields takes no bytes: such an array is bounded by nothing.
            guard position > before else { throw .impossibleLength(at: start) }
        }
        return array
    }

    mutating func readStructs<T: VersionedStruct>(
        _ flexible: Bool, version: Int16
    ) throws(CodecError) -> [T] {
        try readNullableStructs(flexible, version: version, nullable: false) ?? []
    }
}

/// A tagged field about to be read.
struct TaggedFieldPlace {
    var tag: UInt32
    /// Position after its bytes.
    var end: Int
}

extension ByteReader {
    /// How many tagged fields follow.
    mutating func readTaggedFieldCount() throws(CodecError) -> UInt32 {
        let start = position
        let count = try readUnsignedVarint()
        guard Int(count) <= remaining / 2 else { throw .impossibleLength(at: start) }
        try charge(Int(count), stride: MemoryLayout<TaggedField>.stride, at: start)
        return count
    }

    /// Tag and size of the next field; nil after the last. An unknown tag may come twice.
    mutating func nextTaggedField(
        _ remainingFields: inout UInt32
    ) throws(CodecError) -> TaggedFieldPlace? {
        guard remainingFields > 0 else { return nil }
        remainingFields -= 1
        let tag = try readUnsignedVarint()
        let start = position
        let size = Int(try readUnsignedVarint())
        guard size <= remaining else { throw .impossibleLength(at: start) }
        return TaggedFieldPlace(tag: tag, end: position + size)
    }

    /// Checks that a field was read to its end.
    func finish(_ field: TaggedFieldPlace) throws(CodecError) {
        guard position == field.end else { throw .invalidTaggedFields(at: position) }
    }

    mutating func readUnknown(_ field: TaggedFieldPlace) throws(CodecError) -> TaggedField {
        TaggedField(tag: field.tag, bytes: try readBytes(field.end - position))
    }

    /// All tagged fields of a struct that knows none.
    mutating func readUnknownTaggedFields() throws(CodecError) -> [TaggedField] {
        var count = try readTaggedFieldCount()
        guard count > 0 else { return [] }
        var fields: [TaggedField] = []
        while let field = try nextTaggedField(&count) { fields.append(try readUnknown(field)) }
        return fields
    }
}
