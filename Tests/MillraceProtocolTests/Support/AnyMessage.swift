import MillraceBase
import MillraceProtocol
import TestSupport

/// What tests do with a message whose type they know by name only.
extension Message {
    /// Reads a message, with where the reader then stands.
    static func decode(
        _ bytes: [UInt8], version: Int16, from start: Int = 0
    ) throws -> (message: Self, end: Int) {
        try bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw, range: start..<raw.count)
            let message = try Self(from: &reader, version: version)
            return (message, reader.position)
        }
    }

    /// Writes the message; ranges in it refer to `source`.
    func encoded(version: Int16, source: [UInt8] = []) throws -> [UInt8] {
        try source.withUnsafeBytes { raw in
            var writer = ByteWriter()
            writer.source = raw
            try encode(into: &writer, version: version)
            return writer.array()
        }
    }

    func equals(_ other: any Message) -> Bool { self == other as? Self }
}

/// All messages by kind and name.
enum MessageTable {
    static let byName: [String: any Message.Type] = {
        var table: [String: any Message.Type] = [:]
        for type in MessageRegistry.all {
            let schema = type.schema
            table["\(schema.kind) \(schema.name)"] = type
            for suffix in ["Request", "Response"] where schema.name.hasSuffix(suffix) {
                table["\(schema.kind) \(schema.name.dropLast(suffix.count))"] = type
            }
        }
        return table
    }()

    /// The type of a vector's kind and name: `record` stands for all kinds of record.
    static func type(kind: String, name: String) -> (any Message.Type)? {
        let kinds = kind == "record" ? ["metadata", "data", "remote", "header"] : [kind]
        return kinds.lazy.compactMap { byName["\($0) \(name)"] }.first
    }

    static func api(_ kind: String, key: Int16) -> (any Message.Type)? {
        guard let name = ApiKey(rawValue: key)?.name else { return nil }
        return byName["\(kind) \(name)"]
    }
}
