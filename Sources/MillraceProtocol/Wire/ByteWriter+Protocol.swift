internal import MillraceBase

// The counterparts of `ByteReader`'s: texts, bytes, arrays and tagged fields in both forms.
extension ByteWriter {
    private mutating func writeCompactLength(_ count: Int?) {
        writeUnsignedVarint(count.map { UInt32($0) + 1 } ?? 0)
    }

    private mutating func writeLength(_ count: Int?, _ flexible: Bool) {
        if flexible { return writeCompactLength(count) }
        writeInteger(count.map { Int32($0) } ?? -1)
    }

    /// Throws for null in a version that has none.
    private func check(_ nullable: Bool, _ field: StaticString) throws(CodecError) {
        guard nullable else { throw .unwritableField("\(field)") }
    }

    mutating func writeString(_ value: String, _ flexible: Bool) throws(CodecError) {
        let count = value.utf8.count
        guard count <= Int(Int16.max) else { throw .unwritableField("a text of \(count) bytes") }
        if flexible { writeCompactLength(count) } else { writeInteger(Int16(count)) }
        writeText(value)
    }

    mutating func writeNullableString(
        _ value: String?, _ flexible: Bool, nullable: Bool, _ field: StaticString
    ) throws(CodecError) {
        if let value { return try writeString(value, flexible) }
        try check(nullable, field)
        if flexible { writeCompactLength(nil) } else { writeInteger(-1 as Int16) }
    }

    mutating func writeBytes(_ value: [UInt8], _ flexible: Bool) throws(CodecError) {
        writeLength(value.count, flexible)
        writeBytes(value)
    }

    mutating func writeNullableBytes(
        _ value: [UInt8]?, _ flexible: Bool, nullable: Bool, _ field: StaticString
    ) throws(CodecError) {
        if let value { return try writeBytes(value, flexible) }
        try check(nullable, field)
        writeLength(nil, flexible)
    }

    mutating func writeRecords(_ value: RecordData, _ flexible: Bool) throws(CodecError) {
        writeLength(value.count, flexible)
        switch value {
        case .bytes(let bytes): writeBytes(bytes)
        case .external(let count): noteSplice(count: count)
        case .frame(let range):
            guard let source, range.upperBound <= source.count else {
                throw .unwritableField("records of a frame that is not at hand")
            }
            writeBytes(UnsafeRawBufferPointer(rebasing: source[range]))
        }
    }

    mutating func writeNullableRecords(
        _ value: RecordData?, _ flexible: Bool, nullable: Bool, _ field: StaticString
    ) throws(CodecError) {
        if let value { return try writeRecords(value, flexible) }
        try check(nullable, field)
        writeLength(nil, flexible)
    }

    mutating func writeIntegers<T: FixedWidthInteger & BitwiseCopyable>(
        _ value: [T], _ flexible: Bool
    ) throws(CodecError) {
        writeLength(value.count, flexible)
        for element in value { writeInteger(element) }
    }

    mutating func writeNullableIntegers<T: FixedWidthInteger & BitwiseCopyable>(
        _ value: [T]?, _ flexible: Bool, nullable: Bool, _ field: StaticString
    ) throws(CodecError) {
        if let value { return try writeIntegers(value, flexible) }
        try check(nullable, field)
        writeLength(nil, flexible)
    }

    mutating func writeStrings(_ value: [String], _ flexible: Bool) throws(CodecError) {
        writeLength(value.count, flexible)
        for element in value { try writeString(element, flexible) }
    }

    mutating func writeNullableStrings(
        _ value: [String]?, _ flexible: Bool, nullable: Bool, _ field: StaticString
    ) throws(CodecError) {
        if let value { return try writeStrings(value, flexible) }
        try check(nullable, field)
        writeLength(nil, flexible)
    }

    mutating func writeUuids(_ value: [Uuid], _ flexible: Bool) throws(CodecError) {
        writeLength(value.count, flexible)
        for element in value { writeUuid(element) }
    }

    mutating func writeNullableUuids(
        _ value: [Uuid]?, _ flexible: Bool, nullable: Bool, _ field: StaticString
    ) throws(CodecError) {
        if let value { return try writeUuids(value, flexible) }
        try check(nullable, field)
        writeLength(nil, flexible)
    }

    mutating func writeStruct<T: VersionedStruct>(_ value: T, version: Int16) throws(CodecError) {
        try value.encode(into: &self, version: version)
    }

    mutating func writeNullableStruct<T: VersionedStruct>(
        _ value: T?, version: Int16, nullable: Bool, tagged: Bool, _ field: StaticString
    ) throws(CodecError) {
        guard let value else {
            try check(nullable, field)
            return tagged ? writeUnsignedVarint(0) : writeInteger(-1 as Int8)
        }
        if tagged { writeUnsignedVarint(1) } else { writeInteger(1 as Int8) }
        try value.encode(into: &self, version: version)
    }

    mutating func writeStructs<T: VersionedStruct>(
        _ value: [T], _ flexible: Bool, version: Int16
    ) throws(CodecError) {
        writeLength(value.count, flexible)
        for element in value { try element.encode(into: &self, version: version) }
    }

    mutating func writeNullableStructs<T: VersionedStruct>(
        _ value: [T]?, _ flexible: Bool, version: Int16, nullable: Bool, _ field: StaticString
    ) throws(CodecError) {
        if let value { return try writeStructs(value, flexible, version: version) }
        try check(nullable, field)
        writeLength(nil, flexible)
    }

    /// The tagged fields of a struct that knows none.
    mutating func writeTaggedFields(_ fields: [TaggedField]) {
        writeUnsignedVarint(UInt32(fields.count))
        for field in fields { write(field) }
    }

    fileprivate mutating func write(_ field: TaggedField) {
        writeUnsignedVarint(field.tag)
        writeUnsignedVarint(UInt32(field.bytes.count))
        writeBytes(field.bytes)
    }
}

/// Writes tagged fields in the order of their tags: known ones as they are set, unknown ones
/// between.
struct TaggedFieldWriter {
    private var unknown: ArraySlice<TaggedField>
    private var count: UInt32 = 0
    /// Where the section begins: its count is put there at the end.
    private var section: Int?

    init(unknown: [TaggedField]) {
        self.unknown = unknown.sorted { $0.tag < $1.tag }[...]
    }

    /// Writes the tag; the field's bytes follow.
    /// - Returns: where they begin, for `end`.
    mutating func begin(_ tag: UInt32, in writer: inout ByteWriter) -> Int {
        if section == nil { section = writer.count }
        writeUnknown(below: tag, in: &writer)
        writer.writeUnsignedVarint(tag)
        count += 1
        return writer.count
    }

    /// Puts the size before the field's bytes.
    func end(_ start: Int, in writer: inout ByteWriter) {
        writer.insertUnsignedVarint(UInt32(writer.count - start), at: start)
    }

    mutating func finish(in writer: inout ByteWriter) {
        let section = section ?? writer.count
        writeUnknown(below: .max, in: &writer)
        writer.insertUnsignedVarint(count, at: section)
    }

    private mutating func writeUnknown(below tag: UInt32, in writer: inout ByteWriter) {
        while let field = unknown.first, field.tag < tag || tag == .max {
            writer.write(field)
            unknown = unknown.dropFirst()
            count += 1
        }
    }
}
