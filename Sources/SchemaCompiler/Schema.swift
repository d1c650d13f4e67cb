/// A range of versions as schema files write it: `3`, `0-4`, `2+`.
struct VersionRange: Equatable {
    static let none = VersionRange(first: Int.max, last: Int.max - 1)

    var first: Int
    var last: Int

    var isEmpty: Bool { first > last }

    init(first: Int, last: Int) { (self.first, self.last) = (first, last) }

    init?(_ text: Substring) {
        if text == "none" {
            self = .none
        } else if text.hasSuffix("+"), let first = Int(text.dropLast()) {
            self.init(first: first, last: Int.max)
        } else {
            let parts = text.split(separator: "-")
            guard let first = parts.first.flatMap({ Int($0) }),
                let last = parts.last.flatMap({ Int($0) })
            else { return nil }
            self.init(first: first, last: last)
        }
    }

    func intersection(_ other: VersionRange) -> VersionRange {
        VersionRange(first: max(first, other.first), last: min(last, other.last))
    }

    /// The Swift condition that `v`, the version, lies in this range, given that it lies in
    /// `outer`; nil if always.
    func condition(within outer: VersionRange) -> String? {
        let (above, below) = (first > outer.first, last < outer.last)
        if isEmpty || first > outer.last || last < outer.first { return "false" }
        if above && below {
            return first == last
                ? "v == \(first)" : "v >= \(first) && v <= \(last)"
        }
        return above ? "v >= \(first)" : below ? "v <= \(last)" : nil
    }
}

/// One field of a message or of a struct inside it.
struct Field {
    var name: String
    var type: String
    var versions: VersionRange
    var nullable = VersionRange.none
    var tag: Int?
    var tagVersions = VersionRange.none
    var defaultText: String?
    var isIgnorable = false
    var isInflexible = false
    /// Fields of a struct, or of an array's structs.
    var fields: [Field] = []

    var isArray: Bool { type.hasPrefix("[]") }
    var elementType: String { isArray ? String(type.dropFirst(2)) : type }
    var isNullable: Bool { !nullable.isEmpty }
}

/// One message of a schema file.
struct MessageDefinition {
    /// request, response, metadata, data, remote, header
    var kind: String
    var name: String
    var versions: VersionRange
    var flexible: VersionRange
    var key: Int?
    var fields: [Field]
}

/// What is wrong with a schema file, and where.
struct SchemaError: Error, CustomStringConvertible {
    var description: String
}

/// Reads schema files: a line a field, two spaces deeper inside a struct.
struct SchemaParser {
    let file: String
    private var lines: [(number: Int, indent: Int, words: [Substring])]
    private var next = 0

    init(file: String, text: String) {
        self.file = file
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            .compactMap { number, line in
                let words = line.split(separator: " ")
                guard let first = words.first, !first.hasPrefix("#") else { return nil }
                return (number + 1, line.prefix { $0 == " " }.count, words)
            }
    }

    mutating func parse() throws -> [MessageDefinition] {
        var messages: [MessageDefinition] = []
        while next < lines.count { messages.append(try parseMessage()) }
        return messages
    }

    private func fail(_ line: Int, _ what: String) -> SchemaError {
        SchemaError(description: "\(file):\(line): \(what)")
    }

    private mutating func parseMessage() throws -> MessageDefinition {
        let (number, _, words) = lines[next]
        next += 1
        guard words.count >= 6, words[2] == "versions", words[4] == "flexible",
            let versions = VersionRange(words[3]), let flexible = VersionRange(words[5])
        else { throw fail(number, "expected: kind Name versions A-B flexible C+ [key N]") }
        let key = words.count >= 8 && words[6] == "key" ? Int(words[7]) : nil
        return MessageDefinition(
            kind: String(words[0]), name: String(words[1]), versions: versions, flexible: flexible,
            key: key, fields: try parseFields(indent: 2))
    }

    private mutating func parseFields(indent: Int) throws -> [Field] {
        var fields: [Field] = []
        while next < lines.count, lines[next].indent == indent {
            var field = try parseField(lines[next])
            next += 1
            if field.elementType == "struct" { field.fields = try parseFields(indent: indent + 2) }
            fields.append(field)
        }
        if next < lines.count, lines[next].indent > indent {
            throw fail(lines[next].number, "deeper than any struct")
        }
        return fields
    }

    private func parseField(
        _ line: (number: Int, indent: Int, words: [Substring])
    ) throws -> Field {
        let words = line.words
        guard words.count >= 3, let versions = VersionRange(words[2]) else {
            throw fail(line.number, "expected: Name type versions …")
        }
        var field = Field(name: String(words[0]), type: String(words[1]), versions: versions)
        var rest = words.dropFirst(3)
        while let word = rest.popFirst() {
            switch word {
            case "nullable":
                guard let range = rest.popFirst().flatMap({ VersionRange($0) }) else {
                    throw fail(line.number, "nullable needs versions")
                }
                field.nullable = range
            case "tag":
                guard let tag = rest.popFirst().flatMap({ Int($0) }),
                    let range = rest.popFirst().flatMap({ VersionRange($0) })
                else { throw fail(line.number, "tag needs a number and versions") }
                (field.tag, field.tagVersions) = (tag, range)
            case "default": field.defaultText = rest.popFirst().map(String.init)
            case "ignorable": field.isIgnorable = true
            case "inflexible": field.isInflexible = true
            case "key": break  // the map key of an array: arrays stay arrays here
            default: throw fail(line.number, "unknown word \(word)")
            }
        }
        return field
    }
}
