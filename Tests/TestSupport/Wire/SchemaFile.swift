import Foundation

/// A range of versions as schema files write it: `3`, `0-4`, `2+`, `none`.
package struct SchemaVersions: Sendable {
    package var first: Int
    package var last: Int

    init(_ text: Substring) {
        if text.hasSuffix("+") {
            (first, last) = (Int(text.dropLast()) ?? 0, Int.max)
        } else {
            let parts = text.split(separator: "-").map { Int($0) }
            guard let low = parts.first ?? nil, let high = parts.last ?? nil else {
                (first, last) = (Int.max, Int.min)
                return
            }
            (first, last) = (low, high)
        }
    }

    package func contains(_ version: Int) -> Bool { version >= first && version <= last }
}

/// A field as its schema file describes it.
package struct SchemaField: Sendable {
    package var name: String
    /// Without `[]`.
    package var type: String
    package var isArray: Bool
    package var versions: SchemaVersions
    package var nullable: SchemaVersions
    package var tag: Int?
    package var tagged: SchemaVersions
    package var defaultText: String?
    package var isInflexible: Bool
    package var fields: [SchemaField]
}

/// A message as its schema file describes it. Read by the tests themselves, so that they do not
/// share a mistake with the compiler whose code they check.
package struct SchemaMessage: Sendable {
    package var kind: String
    package var name: String
    package var versions: ClosedRange<Int>
    package var flexible: SchemaVersions
    package var key: Int
    package var fields: [SchemaField]

    /// All messages of `Sources/MillraceProtocol/Schemas`, in the order of their files.
    package static let all: [SchemaMessage] = {
        let root = Program.root.appending(path: "Sources/MillraceProtocol/Schemas")
        let paths = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String }
        return (paths ?? []).filter { $0.hasSuffix(".schema") }.sorted().flatMap { path in
            // A file that cannot be read shows as missing messages.
            let text = (try? String(contentsOf: root.appending(path: path), encoding: .utf8)) ?? ""
            return parse(text)
        }
    }()

    private static func parse(_ text: String) -> [SchemaMessage] {
        var lines = text.split(separator: "\n").map { line -> (Int, [Substring]) in
            (line.prefix { $0 == " " }.count, line.split(separator: " "))
        }[...]
        var messages: [SchemaMessage] = []
        while let (_, words) = lines.popFirst() {
            let versions = SchemaVersions(words[3])
            messages.append(
                SchemaMessage(
                    kind: String(words[0]), name: String(words[1]),
                    versions: versions.first...versions.last, flexible: SchemaVersions(words[5]),
                    key: words.count > 7 ? Int(words[7]) ?? -1 : -1,
                    fields: fields(&lines, indent: 2)))
        }
        return messages
    }

    private static func fields(
        _ lines: inout ArraySlice<(Int, [Substring])>, indent: Int
    ) -> [SchemaField] {
        var fields: [SchemaField] = []
        while let (depth, words) = lines.first, depth == indent {
            lines.removeFirst()
            func after(_ word: String, _ offset: Int = 1) -> Substring? {
                words.dropFirst(3).firstIndex { $0 == word }.map { words[$0 + offset] }
            }
            let isArray = words[1].hasPrefix("[]")
            fields.append(
                SchemaField(
                    name: String(words[0]), type: String(words[1].dropFirst(isArray ? 2 : 0)),
                    isArray: isArray, versions: SchemaVersions(words[2]),
                    nullable: SchemaVersions(after("nullable") ?? "none"),
                    tag: after("tag").flatMap { Int($0) },
                    tagged: SchemaVersions(after("tag", 2) ?? "none"),
                    defaultText: after("default").map(String.init),
                    isInflexible: words.contains("inflexible"),
                    fields: self.fields(&lines, indent: indent + 2)))
        }
        return fields
    }
}
