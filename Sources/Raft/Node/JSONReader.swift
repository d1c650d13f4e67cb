/// As much of JSON as `quorum-state` needs: objects, arrays, integers, texts without escapes, null.
struct JSONReader {
    enum Value {
        case object([String: Value])
        case array([Value])
        case integer(Int64)
        case text(String)
        case null

        var integer: Int64? {
            if case .integer(let number) = self { return number }
            return nil
        }
    }

    private var rest: Substring.UTF8View
    private var depth = 0

    init(_ text: String) { rest = Substring(text).utf8 }

    var isAtEnd: Bool {
        rest.allSatisfy { $0 == 32 || $0 == 10 || $0 == 13 || $0 == 9 }
    }

    /// The next value; nil if there is none. At most eight levels deep.
    mutating func value() -> Value? {
        guard depth < 8, let first = next() else { return nil }
        switch first {
        case UInt8(ascii: "{"): return object()
        case UInt8(ascii: "["): return array()
        case UInt8(ascii: "\""): return text().map { .text($0) }
        case UInt8(ascii: "n"): return take("ull") ? .null : nil
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number(first)
        default: return nil
        }
    }

    /// The next byte that is no space.
    private mutating func next() -> UInt8? {
        while let byte = rest.popFirst() {
            if byte != 32, byte != 10, byte != 13, byte != 9 { return byte }
        }
        return nil
    }

    private mutating func take(_ text: String) -> Bool {
        for byte in text.utf8 where rest.popFirst() != byte { return false }
        return true
    }

    private mutating func text() -> String? {
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return String(validating: bytes, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") || byte < 32 { return nil }
            bytes.append(byte)
        }
        return nil
    }

    private mutating func number(_ first: UInt8) -> Value? {
        var digits = [first]
        while let byte = rest.first, byte >= 48, byte <= 57, digits.count < 20 {
            digits.append(byte)
            rest.removeFirst()
        }
        return Int64(String(decoding: digits, as: UTF8.self)).map { .integer($0) }
    }

    private mutating func object() -> Value? {
        var fields: [String: Value] = [:]
        depth += 1
        defer { depth -= 1 }
        while true {
            guard var byte = next() else { return nil }
            if byte == UInt8(ascii: "}"), fields.isEmpty { return .object(fields) }
            guard byte == UInt8(ascii: "\""), let name = text(), next() == UInt8(ascii: ":"),
                let value = value(), let after = next()
            else { return nil }
            fields[name] = value
            byte = after
            if byte == UInt8(ascii: "}") { return .object(fields) }
            guard byte == UInt8(ascii: ",") else { return nil }
        }
    }

    private mutating func array() -> Value? {
        var elements: [Value] = []
        depth += 1
        defer { depth -= 1 }
        var ahead = self
        if ahead.next() == UInt8(ascii: "]") {
            rest = ahead.rest
            return .array([])
        }
        while true {
            guard let value = value() else { return nil }
            elements.append(value)
            guard let after = next() else { return nil }
            if after == UInt8(ascii: "]") { return .array(elements) }
            guard after == UInt8(ascii: ",") else { return nil }
        }
    }
}
