/// One `key=value` of a properties file.
package struct Property: Sendable, Equatable {
    package var key: String
    package var value: String
    /// The line that it begins on, from 1.
    package var line: Int

    package init(key: String, value: String, line: Int) {
        (self.key, self.value, self.line) = (key, value, line)
    }
}

/// Java's format of properties: `key=value`, `key: value` or `key value`; `#` and `!` begin a
/// comment; a backslash continues a line and escapes `\t \n \r \f \uXXXX` and itself.
package enum PropertiesFile {
    /// The properties in order; of two with the same key the later one counts.
    /// - Throws: `ConfigError` for an escape that is none, with its line.
    package static func parse(_ text: String) throws(ConfigError) -> [Property] {
        var properties: [Property] = []
        for (line, content) in logicalLines(of: text) {
            if let property = try property(content, line) { properties.append(property) }
        }
        return properties
    }

    /// Natural lines joined where they end in an odd number of backslashes.
    private static func logicalLines(of text: String) -> [(line: Int, content: [UInt8])] {
        var lines: [(line: Int, content: [UInt8])] = []
        var pending: (line: Int, content: [UInt8])?
        var number = 0
        for natural in text.utf8.split(separator: 10, omittingEmptySubsequences: false) {
            number += 1
            var content = Array(natural.drop { $0 == 32 || $0 == 9 || $0 == 12 })
            if content.last == 13 { content.removeLast() }
            if pending == nil, let first = content.first {
                if first == UInt8(ascii: "#") || first == UInt8(ascii: "!") { continue }
            }
            let backslashes = content.reversed().prefix { $0 == UInt8(ascii: "\\") }.count
            let continues = backslashes % 2 == 1
            if continues { content.removeLast() }
            let joined = (pending?.line ?? number, (pending?.content ?? []) + content)
            pending = continues ? joined : nil
            if !continues { lines.append(joined) }
        }
        if let pending { lines.append(pending) }
        return lines
    }

    private static func property(_ content: [UInt8], _ line: Int) throws(ConfigError) -> Property? {
        if content.isEmpty { return nil }
        func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 12 }
        func isSeparator(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "=") || byte == UInt8(ascii: ":")
        }
        var end = 0
        while end < content.count, !isBlank(content[end]), !isSeparator(content[end]) {
            end += content[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        end = min(end, content.count)
        var start = end
        while start < content.count, isBlank(content[start]) { start += 1 }
        if start < content.count, isSeparator(content[start]) { start += 1 }
        while start < content.count, isBlank(content[start]) { start += 1 }
        return Property(
            key: try unescaped(content[..<end], line),
            value: try unescaped(content[start...], line),
            line: line)
    }

    private static func unescaped(
        _ bytes: ArraySlice<UInt8>, _ line: Int
    ) throws(ConfigError) -> String {
        var result: [UInt8] = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            guard byte == UInt8(ascii: "\\"), index < bytes.endIndex else {
                result.append(byte)
                continue
            }
            let escape = bytes[index]
            index += 1
            switch escape {
            case UInt8(ascii: "t"): result.append(9)
            case UInt8(ascii: "n"): result.append(10)
            case UInt8(ascii: "r"): result.append(13)
            case UInt8(ascii: "f"): result.append(12)
            case UInt8(ascii: "u"):
                let digits = String(decoding: bytes[index...].prefix(4), as: UTF8.self)
                guard digits.utf8.count == 4, let code = UInt16(digits, radix: 16),
                    let scalar = Unicode.Scalar(code)
                else { throw ConfigError("line \(line): \\u wants four hexadecimal digits") }
                result += Array(String(Character(scalar)).utf8)
                index += 4
            default: result.append(escape)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
