/// A value of a setting, of the setting's type.
package enum ConfigValue: Sendable, Equatable {
    case boolean(Bool)
    case text(String)
    case integer(Int64)
    case number(Double)
    case list([String])

    /// As Kafka shows it.
    package var text: String {
        switch self {
        case .boolean(let value): value ? "true" : "false"
        case .text(let value): value
        case .integer(let value): String(value)
        case .number(let value): Self.javaText(of: value)
        case .list(let values): values.joined(separator: ",")
        }
    }

    /// A double as Java writes it: an exponent only outside 10⁻³ … 10⁷, with a capital E.
    static func javaText(of value: Double) -> String {
        guard value.isFinite else {
            return value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
        }
        let magnitude = value.magnitude
        if magnitude == 0 || (magnitude >= 1e-3 && magnitude < 1e7) { return "\(value)" }
        var exponent = 0
        var mantissa = magnitude
        let text = "\(magnitude)"
        if let mark = text.firstIndex(of: "e") {
            mantissa = Double(text[..<mark]) ?? magnitude
            exponent = Int(text[text.index(after: mark)...]) ?? 0
        }
        while mantissa >= 10 {
            mantissa /= 10
            exponent += 1
        }
        while mantissa < 1 {
            mantissa *= 10
            exponent -= 1
        }
        return "\(value < 0 ? "-" : "")\(mantissa)E\(exponent)"
    }
}

extension ConfigKey {
    /// Reads and checks a value.
    /// - Throws: `ConfigError` with Kafka's text.
    package func parse(_ text: String) throws(ConfigError) -> ConfigValue {
        let trimmed = text.trimmed
        let value: ConfigValue
        switch type {
        case .boolean:
            switch trimmed.lowercased() {
            case "true": value = .boolean(true)
            case "false": value = .boolean(false)
            default:
                throw .invalid(text, name, "Expected value to be either true or false")
            }
        case .int: value = try integer(trimmed, text, Int32.self, "INT")
        case .short: value = try integer(trimmed, text, Int16.self, "SHORT")
        case .long: value = try integer(trimmed, text, Int64.self, "LONG")
        case .double:
            guard let number = Double(trimmed) else {
                throw .invalid(text, name, "Not a number of type DOUBLE")
            }
            value = .number(number)
        case .list: value = .list(Self.elements(of: trimmed))
        case .string, .class: value = .text(trimmed)
        case .password: value = .text(text)
        }
        try check(value)
        return value
    }

    private func integer<T: FixedWidthInteger & SignedInteger>(
        _ trimmed: String, _ text: String, _: T.Type, _ type: String
    ) throws(ConfigError) -> ConfigValue {
        guard let value = T(trimmed) else {
            throw .invalid(text, name, "Not a number of type \(type)")
        }
        return .integer(Int64(value))
    }

    /// The elements of a list: separated by commas, spaces around them dropped.
    static func elements(of text: String) -> [String] {
        text.isEmpty
            ? []
            : text.split(separator: ",", omittingEmptySubsequences: false)
                .map { String($0).trimmed }
    }

    private func check(_ value: ConfigValue) throws(ConfigError) {
        switch value {
        case .integer(let integer): try check(Double(integer), shown: String(integer), integer)
        case .number(let number): try check(number, shown: value.text, nil)
        case .text(let text): try checkText(text)
        case .list(let elements): try checkList(elements)
        case .boolean: break
        }
    }

    /// `[low,...]`, `[low,...,high]`, and `[low,...,high] or other`.
    private func check(_ number: Double, shown: String, _ integer: Int64?) throws(ConfigError) {
        guard valid.first == "[", valid.contains("..."), let end = valid.firstIndex(of: "]") else {
            return
        }
        let bounds = valid[valid.index(after: valid.startIndex)..<end].split(separator: ",")
        guard let low = bounds.first else { return }
        let high = bounds.count > 2 ? bounds[2] : nil
        let tooLow =
            integer.flatMap { value in Int64(low).map { value < $0 } }
            ?? (number < (Double(low) ?? -.infinity))
        let tooHigh = high.map { number > (Double($0) ?? .infinity) } ?? false
        if let other = valid[end...].split(separator: " ").last, valid.contains(" or ") {
            guard tooLow || tooHigh, shown != other else { return }
            throw .invalid(
                shown, name,
                "Value must be between \(low) and \(high ?? "") or equal to \(other)")
        }
        if tooLow { throw .invalid(shown, name, "Value must be at least \(low)") }
        if tooHigh { throw .invalid(shown, name, "Value must be no more than \(high ?? "")") }
    }

    /// The values of `[A, B]`, or nil where `valid` names none.
    private var allowed: [String]? {
        guard let start = valid.firstIndex(of: "["), valid.last == "]", !valid.contains("..."),
            !valid.contains("partitionId")
        else { return nil }
        return Self.elements(of: String(valid[valid.index(after: start)...].dropLast()))
    }

    private func checkText(_ text: String) throws(ConfigError) {
        if valid == "non-empty string", text.isEmpty {
            throw .invalid(text, name, "String must be non-empty")
        }
        if name == "share.auto.offset.reset" { return try checkOffsetReset(text) }
        guard let allowed else { return }
        let shown = allowed.joined(separator: ", ")
        if valid.hasPrefix("(case insensitive)") {
            if allowed.contains(where: { $0.lowercased() == text.lowercased() }) { return }
            throw .invalid(text, name, "String must be one of (case insensitive): \(shown)")
        }
        if !allowed.contains(text) {
            throw .invalid(text, name, "String must be one of: \(shown)")
        }
    }

    private func checkOffsetReset(_ text: String) throws(ConfigError) {
        if ["earliest", "latest"].contains(text) { return }
        let duration = text.hasPrefix("by_duration:P") && text.utf8.count > 13
        if !duration {
            throw .invalid(
                text, name,
                "Invalid value `\(text)` for configuration \(name). The value must be either "
                    + "'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.")
        }
    }

    private func checkList(_ elements: [String]) throws(ConfigError) {
        if valid.contains("partitionId") { return try checkThrottled(elements) }
        if valid == "non-empty list", elements.isEmpty {
            throw ConfigError("Configuration '\(name)' must not be empty. Valid values include: []")
        }
        guard let allowed else { return }
        for element in elements where !allowed.contains(element) {
            let shown = allowed.joined(separator: ", ")
            throw .invalid(element, name, "String must be one of: \(shown)")
        }
    }

    private func checkThrottled(_ elements: [String]) throws(ConfigError) {
        if elements == ["*"] { return }
        let good = elements.allSatisfy { element in
            let parts = element.split(separator: ":", omittingEmptySubsequences: false)
            return parts.count == 2
                && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
        }
        if good { return }
        throw .invalid(
            "[\(elements.joined(separator: ", "))]", name,
            "\(name) must be the literal '*' or a list of replicas in the following format: "
                + "[partitionId]:[brokerId],[partitionId]:[brokerId],...")
    }
}

extension String {
    /// Without spaces, tabs and line ends at both ends.
    var trimmed: String {
        func isSpace(_ byte: UInt8) -> Bool { byte <= 0x20 }
        let bytes = utf8.drop(while: isSpace)
        guard let last = bytes.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(bytes[...last]) ?? self
    }
}
