internal import MillraceBase
internal import MillraceProtocol

/// A record that the image keeps without a meaning: its bytes, and under what they are kept, so
/// that a later record of the same thing replaces them and a removal removes them.
package struct OpaqueRecord: Hashable, Sendable {
    /// What a record is about: its kind, and the bytes that identify a thing of that kind.
    package struct Key: Hashable, Comparable, Sendable {
        package var type: Int16
        package var identity: [UInt8]

        package static func < (a: Key, b: Key) -> Bool {
            a.type == b.type
                ? a.identity.lexicographicallyPrecedes(b.identity) : a.type < b.type
        }
    }

    package var key: Key
    /// Whether the record removes what its key names.
    package var isRemoval: Bool
    /// The whole record, frame included.
    package var bytes: [UInt8]

    /// Reads what identifies the record; the rest stays as it is.
    init(
        _ type: Int16, version: Int16, body: inout ByteReader, whole: [UInt8]
    ) throws(CodecError) {
        bytes = whole
        isRemoval = false
        var identity = ByteWriter(capacity: 64)
        var kept = type
        switch type {
        case 10:
            identity.writeText(try DelegationTokenRecord(from: &body, version: version).tokenId)
        case 26:
            let record = try RemoveDelegationTokenRecord(from: &body, version: version)
            identity.writeText(record.tokenId)
            (kept, isRemoval) = (10, true)
        case 11:
            let record = try UserScramCredentialRecord(from: &body, version: version)
            Self.identify(record.name, record.mechanism, &identity)
        case 22:
            let record = try RemoveUserScramCredentialRecord(from: &body, version: version)
            Self.identify(record.name, record.mechanism, &identity)
            (kept, isRemoval) = (11, true)
        case 14:
            let record = try ClientQuotaRecord(from: &body, version: version)
            Self.identify(record, &identity)
            isRemoval = record.remove
        case 18: identity.writeUuid(try AccessControlEntryRecord(from: &body, version: version).id)
        case 19:
            identity.writeUuid(
                try RemoveAccessControlEntryRecord(from: &body, version: version).id)
            (kept, isRemoval) = (18, true)
        case 21: break  // the state of a migration from ZooKeeper: there is one
        default: identity.writeBytes(whole)  // unknown: each stands for itself
        }
        key = Key(type: kept, identity: identity.array())
    }

    private static func identify(_ name: String, _ mechanism: Int8, _ writer: inout ByteWriter) {
        writer.writeInteger(mechanism)
        writer.writeText(name)
    }

    private static func identify(_ quota: ClientQuotaRecord, _ writer: inout ByteWriter) {
        for entity in quota.entity.sorted(by: { $0.entityType < $1.entityType }) {
            for text in [entity.entityType, entity.entityName] {
                writer.writeVarint(text.map { Int32($0.utf8.count) } ?? -1)
                writer.writeText(text ?? "")
            }
        }
        writer.writeVarint(-2)
        writer.writeText(quota.key)
    }
}
