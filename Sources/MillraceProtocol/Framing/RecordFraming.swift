package import MillraceBase

/// A record of the cluster metadata log: `uvarint 1, uvarint type, uvarint version, body`.
package enum MetadataFraming {
    private static let frameVersion: UInt32 = 1

    private static let types: [Int16: any Message.Type] = {
        var types: [Int16: any Message.Type] = [:]
        for type in MessageRegistry.all where type.schema.kind == .metadata {
            types[type.schema.key] = type
        }
        return types
    }()

    /// Type and version of the record that begins at the reader, which then stands at its body.
    package static func readHead(
        from reader: inout ByteReader
    ) throws(CodecError) -> (type: Int16, version: Int16) {
        let start = reader.position
        guard try reader.readUnsignedVarint() == frameVersion else {
            throw .impossibleLength(at: start)
        }
        let type = try reader.readUnsignedVarint()
        let version = try reader.readUnsignedVarint()
        guard let type = Int16(exactly: type), let version = Int16(exactly: version) else {
            throw .impossibleLength(at: start)
        }
        return (type, version)
    }

    /// The record that the bytes hold; nil if its type is not known.
    /// - Throws: `CodecError`.
    package static func read(
        _ bytes: UnsafeRawBufferPointer
    ) throws(CodecError) -> (any Message)? {
        var reader = ByteReader(bytes)
        let (type, version) = try readHead(from: &reader)
        guard let message = types[type] else { return nil }
        return try message.init(from: &reader, version: version)
    }

    /// Writes a record with its frame.
    package static func write(
        _ record: some Message, version: Int16, into writer: inout ByteWriter
    ) throws(CodecError) {
        writer.writeUnsignedVarint(frameVersion)
        writer.writeUnsignedVarint(UInt32(type(of: record).schema.key))
        writer.writeUnsignedVarint(UInt32(version))
        try record.encode(into: &writer, version: version)
    }
}

/// Records of the coordinators' logs: `int16 version, body` for key and value; a key's version is
/// its record type.
package enum CoordinatorFraming {
    /// The version (of a value) or record type (of a key); the reader then stands at the body.
    package static func readVersion(from reader: inout ByteReader) throws(CodecError) -> Int16 {
        try reader.readInt16()
    }

    /// The bytes of a key or value.
    package static func bytes(
        _ message: some Message, version: Int16
    ) throws(CodecError) -> [UInt8] {
        var writer = ByteWriter(capacity: 128)
        writer.writeInteger(version)
        try message.encode(into: &writer, version: version)
        return writer.array()
    }
}
