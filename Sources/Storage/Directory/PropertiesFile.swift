import MillraceBase

/// Lines `name=value` as Java writes them: `meta.properties`, `partition.metadata`.
enum PropertiesFile {
    /// - Parameter separator: `=` or `:`.
    static func parse(_ bytes: [UInt8], separator: Character = "=") -> [String: String]? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var values: [String: String] = [:]
        for line in text.split(whereSeparator: { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }) {
            let line = trimmed(line)
            if line.isEmpty || line.first == "#" || line.first == "!" { continue }
            guard let split = line.firstIndex(of: separator) else { return nil }
            let name = trimmed(line[..<split])
            values[String(name)] = String(trimmed(line[line.index(after: split)...]))
        }
        return values
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}

/// The topic id beside a partition's log (KIP-516).
enum PartitionMetadataFile {
    static let name = "partition.metadata"

    static func encode(_ id: TopicID) -> [UInt8] {
        Array("version: 0\ntopic_id: \(id.uuid)".utf8)
    }

    /// - Throws: `.malformed`.
    static func decode(_ bytes: [UInt8], path: String) throws(StorageError) -> TopicID {
        guard let values = PropertiesFile.parse(bytes, separator: ":"),
            values["version"] == "0", let text = values["topic_id"], let uuid = Uuid(text)
        else { throw .malformed(path: path, reason: "no version 0 with a topic id") }
        return TopicID(uuid)
    }
}
