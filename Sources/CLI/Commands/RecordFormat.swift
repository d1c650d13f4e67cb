internal import MillraceBase
internal import MillraceClient
internal import MillraceClientCore
internal import MillraceRecords

/// A format as kcat has it: `%t %p %o %k %v\n`.
struct RecordFormat {
    private enum Part {
        case bytes([UInt8])
        case field(Character)
    }

    private static let fields: Set<Character> = [
        "t", "p", "o", "k", "v", "s", "h", "T", "S", "K", "H",
    ]
    private var parts: [Part] = []

    /// Reads `%` fields and `\n \t \r \\ \xHH`.
    init(_ text: String) throws(CLIError) {
        var rest = text[...]
        while let character = rest.popFirst() {
            if character == "%" {
                guard let field = rest.popFirst() else { throw .usage("-f ends in a %") }
                if field == "%" {
                    parts.append(.bytes([0x25]))
                } else if Self.fields.contains(field) {
                    parts.append(.field(field))
                } else {
                    throw .usage(
                        "-f has no %\(field): %t topic, %p partition, %o offset, %k key, %v value, "
                            + "%h headers, %T time in ms, %S bytes of the value, %K of the key")
                }
            } else if character == "\\" {
                parts.append(.bytes(try Self.escaped(&rest)))
            } else {
                parts.append(.bytes(Array(String(character).utf8)))
            }
        }
    }

    private static func escaped(_ rest: inout Substring) throws(CLIError) -> [UInt8] {
        switch rest.popFirst() {
        case "n": return [0x0A]
        case "t": return [0x09]
        case "r": return [0x0D]
        case "\\": return [0x5C]
        case "x":
            let digits = rest.prefix(2)
            guard digits.count == 2, let byte = UInt8(digits, radix: 16) else {
                throw .usage("-f: \\x needs two hexadecimal digits")
            }
            rest.removeFirst(2)
            return [byte]
        default: throw .usage("-f: after \\ stands n, t, r, \\ or xHH")
        }
    }

    /// Writes a record.
    func write(_ record: ConsumerRecord, into output: inout [UInt8]) {
        for part in parts {
            switch part {
            case .bytes(let bytes): output += bytes
            case .field(let name): write(name, record, &output)
            }
        }
    }

    private func write(
        _ field: Character, _ record: ConsumerRecord, _ output: inout [UInt8]
    ) {
        switch field {
        case "t": output += record.partition.topic.utf8
        case "p": output += "\(record.partition.index)".utf8
        case "o": output += "\(record.offset.rawValue)".utf8
        case "k": output += record.key ?? []
        case "v", "s": output += record.value ?? []
        case "T": output += "\(record.timestamp.rawValue)".utf8
        case "S": output += "\(record.value?.count ?? -1)".utf8
        case "K": output += "\(record.key?.count ?? -1)".utf8
        default:
            for (place, header) in record.headers.enumerated() {
                if place > 0 { output.append(0x2C) }
                output += header.key.utf8
                output.append(0x3D)
                output += header.value ?? Array("NULL".utf8)
            }
        }
    }

    /// One line of JSON. Bytes that are no UTF-8 are base64, which `…_encoding` then says.
    static func json(_ record: ConsumerRecord) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("topic", .text(record.partition.topic)),
            ("partition", JSONValue(record.partition.index)),
            ("offset", JSONValue(record.offset.rawValue)),
            ("timestamp", .text(record.timestamp.rfc3339)),
            ("timestamp_ms", JSONValue(record.timestamp.rawValue)),
        ]
        for (name, bytes) in [("key", record.key), ("value", record.value)] {
            let (text, isPlain) = self.text(bytes)
            members.append((name, text))
            if !isPlain { members.append(("\(name)_encoding", "base64")) }
        }
        members.append(
            (
                "headers",
                .list(
                    record.headers.map { header in
                        .object([("key", .text(header.key)), ("value", text(header.value).0)])
                    })
            ))
        return .object(members)
    }

    private static func text(_ bytes: [UInt8]?) -> (JSONValue, isPlain: Bool) {
        guard let bytes else { return (.null, true) }
        if let text = String(validating: bytes, as: UTF8.self) { return (.text(text), true) }
        return (.text(base64(bytes)), false)
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let word = group.enumerated().reduce(0) { $0 | Int($1.element) << (16 - 8 * $1.offset) }
            for place in 0..<4 {
                text.append(
                    place <= group.count ? alphabet[word >> (18 - 6 * place) & 63] : 0x3D)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
