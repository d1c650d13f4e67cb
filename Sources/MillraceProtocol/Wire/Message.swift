package import MillraceBase

/// What a message's schema says of it as a whole.
package struct MessageSchema: Hashable, Sendable {
    /// What a message is used for; the schema file's first word.
    package enum Kind: String, Hashable, Sendable {
        case request, response, metadata, data, remote, header
    }

    package var kind: Kind
    /// The protocol's name: a request and its response share it.
    package var name: String
    /// API key of requests and responses, record type of metadata records; −1 if there is none.
    package var key: Int16
    package var versions: ClosedRange<Int16>
    /// The first flexible version (KIP-482); `.max` if there is none.
    package var flexibleFrom: Int16

    package func isFlexible(_ version: Int16) -> Bool { version >= flexibleFrom }

    func check(_ version: Int16) throws(CodecError) {
        guard versions.contains(version) else { throw .unsupportedVersion(version) }
    }
}

/// A part of a message that is read and written by version. Fields that a version lacks keep their
/// defaults; `init()` sets all defaults.
package protocol VersionedStruct: Equatable, Sendable {
    init()
    /// Reads the fields of `version` from where the reader stands.
    /// - Throws: `CodecError`, without having allocated more than the input carries.
    init(from reader: inout ByteReader, version: Int16) throws(CodecError)
    /// Writes the fields of `version`.
    /// - Throws: `.unsupportedVersion`, `.unwritableField`.
    func encode(into writer: inout ByteWriter, version: Int16) throws(CodecError)
}

/// A whole message: a request's or response's body, or a record.
package protocol Message: VersionedStruct {
    static var schema: MessageSchema { get }
    var unknownTaggedFields: [TaggedField] { get set }
}

/// A field that this version of the schema does not know, kept as it came.
package struct TaggedField: Hashable, Sendable {
    package var tag: UInt32
    package var bytes: [UInt8]

    package init(tag: UInt32, bytes: [UInt8]) {
        self.tag = tag
        self.bytes = bytes
    }
}

/// Where the record batches of a `records` field are.
package enum RecordData: Hashable, Sendable {
    /// In the buffer that the message was read from: what decoding gives. Encoding it again needs
    /// `ByteWriter.source`.
    case frame(Range<Int>)
    /// Here.
    case bytes([UInt8])
    /// Elsewhere, a file for instance: the writer notes a splice of that many bytes.
    case external(count: Int)

    package var count: Int {
        switch self {
        case .frame(let range): range.count
        case .bytes(let bytes): bytes.count
        case .external(let count): count
        }
    }
}
