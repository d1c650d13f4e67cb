/// A JSON document that keeps the order of its keys. Integers are written as they are, texts that
/// are no UTF-8 have been mended by `String` before.
enum JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral
{
    case null
    case boolean(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([(String, JSONValue)])

    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int64) { self = .integer(value) }
    init(booleanLiteral value: Bool) { self = .boolean(value) }
    init(arrayLiteral elements: JSONValue...) { self = .list(elements) }
    init(_ value: some BinaryInteger) { self = .integer(Int64(clamping: value)) }
    init(_ value: Bool) { self = .boolean(value) }
    init(_ value: String) { self = .text(value) }
    init(_ value: String?) { self = value.map { .text($0) } ?? .null }
    init(_ value: Int64?) { self = value.map { .integer($0) } ?? .null }
    init(_ value: Int32?) { self = value.map { .integer(Int64($0)) } ?? .null }

    /// One document; on several lines if `indented`.
    func text(indented: Bool) -> String {
        var text = ""
        write(into: &text, indent: indented ? 0 : nil)
        return text
    }

    private func write(into text: inout String, indent: Int?) {
        switch self {
        case .null: text += "null"
        case .boolean(let value): text += value ? "true" : "false"
        case .integer(let value): text += "\(value)"
        case .number(let value): text += value.isFinite ? "\(value)" : "null"
        case .text(let value): Self.quote(value, into: &text)
        case .list(let elements):
            let isFlat = elements.allSatisfy { !$0.isNested }
            Self.write(
                elements.count, "[", "]", indent: isFlat ? nil : indent, flat: isFlat, &text
            ) { index, text, inner in
                elements[index].write(into: &text, indent: inner)
            }
        case .object(let members):
            Self.write(members.count, "{", "}", indent: indent, flat: indent == nil, &text) {
                index, text, inner in
                Self.quote(members[index].0, into: &text)
                text += ": "
                members[index].1.write(into: &text, indent: inner)
            }
        }
    }

    private var isNested: Bool {
        switch self {
        case .list, .object: true
        default: false
        }
    }

    private static func write(
        _ count: Int, _ open: String, _ close: String, indent: Int?, flat: Bool,
        _ text: inout String, _ element: (Int, inout String, Int?) -> Void
    ) {
        text += open
        let inner = indent.map { $0 + 2 }
        for index in 0..<count {
            if index > 0 { text += flat || inner == nil ? ", " : "," }
            if let inner, !flat { text += "\n" + String(repeating: " ", count: inner) }
            element(index, &text, inner)
        }
        if count > 0, let indent, !flat { text += "\n" + String(repeating: " ", count: indent) }
        text += close
    }

    private static func quote(_ value: String, into text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{0}"..."\u{1F}", "\u{7F}":
                let hex = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
