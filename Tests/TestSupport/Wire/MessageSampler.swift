package import MillraceBase

/// Writes random messages from their schemas: right in form, arbitrary in content, decided by the
/// seed. An encoder apart from the one under test.
package struct MessageSampler {
    package var random: SeededGenerator
    /// Whether structs may hold tagged fields that no schema knows.
    package var addsUnknownTags = true
    /// Texts and bytes are at most this long, but for a few.
    package var lengthMax = 12
    /// Texts that every second one is taken from, such as names of topics that exist.
    package var vocabulary: [String] = []
    private var output: [UInt8] = []
    private var version = 0
    private var isFlexible = false

    package init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// A body of that version.
    package mutating func body(of message: SchemaMessage, version: Int) -> [UInt8] {
        output = []
        self.version = version
        isFlexible = message.flexible.contains(version)
        structure(message.fields)
        return output
    }

    private mutating func chance(_ oneIn: Int) -> Bool {
        Int.random(in: 0..<oneIn, using: &random) == 0
    }

    private mutating func structure(_ fields: [SchemaField]) {
        for field in fields where field.versions.contains(version) {
            if field.tag != nil && field.tagged.contains(version) { continue }
            value(field)
        }
        if isFlexible { taggedFields(fields) }
    }

    private mutating func taggedFields(_ fields: [SchemaField]) {
        var sections: [(tag: Int, bytes: [UInt8])] = []
        for field in fields where field.tagged.contains(version) && chance(2) {
            let unset = isolated { $0.defaultValue(field) }
            let set = isolated { $0.value(field, tagged: true) }
            // A field at its default is left out by an encoder.
            if set != unset { sections.append((field.tag ?? 0, set)) }
        }
        if addsUnknownTags && chance(8) {
            let bytes = (0..<Int.random(in: 0...9, using: &random)).map { _ in random8() }
            sections.append((Int.random(in: 1_000...1_000_000, using: &random), bytes))
        }
        unsignedVarint(sections.count)
        for section in sections.sorted(by: { $0.tag < $1.tag }) {
            unsignedVarint(section.tag)
            unsignedVarint(section.bytes.count)
            output += section.bytes
        }
    }

    private mutating func isolated(_ body: (inout Self) -> Void) -> [UInt8] {
        let before = output
        output = []
        body(&self)
        defer { output = before }
        return output
    }

    private mutating func random8() -> UInt8 { UInt8.random(in: .min ... .max, using: &random) }

    private mutating func value(_ field: SchemaField, tagged: Bool = false) {
        let compact = isFlexible && !field.isInflexible
        let isNull = field.nullable.contains(version) && chance(4)
        if field.isArray {
            let count = isNull ? nil : Int.random(in: 0...3, using: &random)
            length(count, compact)
            for _ in 0..<(count ?? 0) { scalar(field, compact) }
        } else if field.type == "struct" && !(field.nullable.first > field.nullable.last) {
            if field.nullable.contains(version) || !tagged {
                output.append(isNull ? (tagged ? 0 : 0xFF) : 1)
            } else {
                output.append(1)
            }
            if !isNull { structure(field.fields) }
        } else if isNull {
            field.type == "string" ? textLength(nil, compact) : length(nil, compact)
        } else {
            scalar(field, compact)
        }
    }

    private mutating func scalar(_ field: SchemaField, _ compact: Bool) {
        switch field.type {
        case "struct": structure(field.fields)
        case "string":
            let text = Array(randomText().utf8)
            textLength(text.count, compact)
            output += text
        case "bytes", "records":
            let count = Int.random(in: 0...(chance(20) ? 300 : lengthMax), using: &random)
            length(count, compact)
            for _ in 0..<count { output.append(random8()) }
        case "bool": output.append(chance(2) ? 1 : 0)
        case "float64": integer(Double(Int32.random(in: -9...9, using: &random)).bitPattern)
        case "uuid": for _ in 0..<16 { output.append(random8()) }
        default: for _ in 0..<Self.width(field.type) { output.append(random8()) }
        }
    }

    private mutating func defaultValue(_ field: SchemaField) {
        if field.defaultText == "null" { return output.append(0) }
        if field.isArray { return output.append(1) }
        switch field.type {
        case "struct":
            if field.nullable.first <= field.nullable.last { output.append(1) }
            for inner in field.fields where inner.versions.contains(version) {
                if !inner.tagged.contains(version) { defaultValue(inner) }
            }
            output.append(0)
        case "string", "bytes", "records":
            let text = Array((field.type == "string" ? field.defaultText ?? "" : "").utf8)
            unsignedVarint(text.count + 1)
            output += text
        case "bool": output.append(field.defaultText?.lowercased() == "true" ? 1 : 0)
        case "float64": integer((Double(field.defaultText ?? "0") ?? 0).bitPattern)
        case "uuid": output += [UInt8](repeating: 0, count: 16)
        default:
            let text = field.defaultText ?? "0"
            let number = text.hasPrefix("0x") ? Int64(text.dropFirst(2), radix: 16) : Int64(text)
            let bits = UInt64(bitPattern: number ?? 0)
            for byte in (0..<Self.width(field.type)).reversed() {
                output.append(UInt8(truncatingIfNeeded: bits >> UInt64(8 * byte)))
            }
        }
    }

    private static func width(_ type: String) -> Int {
        switch type {
        case "int8", "uint8": 1
        case "int16", "uint16": 2
        case "int32", "uint32": 4
        default: 8
        }
    }

    private mutating func randomText() -> String {
        if !vocabulary.isEmpty, chance(2) { return vocabulary.randomElement(using: &random) ?? "" }
        let count = Int.random(in: 0...(chance(20) ? 200 : lengthMax), using: &random)
        let alphabet: [Character] = ["a", "b", "0", ".", "-", "_", "é", "世", "🦕", "\0"]
        return String((0..<count).map { _ in alphabet.randomElement(using: &random) ?? "a" })
    }

    private mutating func textLength(_ count: Int?, _ compact: Bool) {
        if compact { return unsignedVarint(count.map { $0 + 1 } ?? 0) }
        integer(Int16(count ?? -1))
    }

    private mutating func length(_ count: Int?, _ compact: Bool) {
        if compact { return unsignedVarint(count.map { $0 + 1 } ?? 0) }
        integer(Int32(count ?? -1))
    }

    private mutating func integer(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { output += $0 }
    }

    private mutating func unsignedVarint(_ value: Int) {
        var rest = value
        while rest > 0x7F {
            output.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(rest))
    }
}
