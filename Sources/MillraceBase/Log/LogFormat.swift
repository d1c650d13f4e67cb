/// How a log line is written: for people on a terminal, as JSON lines for everything else.
package enum LogFormat: Sendable {
    case text
    case json

    /// A field's text longer than this is cut, so that a peer cannot fill the log.
    package static let fieldBytesMax = 1024

    /// Formats one entry, with its line feed.
    /// - Parameter node: the node's id, or nil where there is none yet.
    func line(for entry: LogEntry, at timestamp: Timestamp, node: Int32?) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        switch self {
        case .text: writeText(entry, timestamp, &line)
        case .json: writeJSON(entry, timestamp, node, &line)
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private func writeText(_ entry: LogEntry, _ timestamp: Timestamp, _ line: inout [UInt8]) {
        line += timestamp.rfc3339.utf8
        line += " \(entry.level.name) ".utf8
        line += entry.module.utf8
        line.append(UInt8(ascii: " "))
        Self.appendPlain(entry.message, to: &line)
        if let code = entry.code { line += " [\(code)]".utf8 }
        for (key, value) in entry.fields {
            line += " \(key)=".utf8
            switch value {
            case .text(let text):
                let bare =
                    !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x7F }
                if bare {
                    Self.appendPlain(text, to: &line)
                } else {
                    Self.appendQuoted(text, to: &line)
                }
            case .integer(let integer): line += "\(integer)".utf8
            case .number(let number): line += "\(number)".utf8
            case .flag(let flag): line += "\(flag)".utf8
            }
        }
    }

    private func writeJSON(
        _ entry: LogEntry, _ timestamp: Timestamp, _ node: Int32?, _ line: inout [UInt8]
    ) {
        line +=
            "{\"ts\":\"\(timestamp.rfc3339)\",\"level\":\"\(entry.level.name)\",\"module\":".utf8
        Self.appendQuoted(entry.module, to: &line)
        if let node { line += ",\"node\":\(node)".utf8 }
        if let code = entry.code {
            line += ",\"code\":".utf8
            Self.appendQuoted(code, to: &line)
        }
        line += ",\"msg\":".utf8
        Self.appendQuoted(entry.message, to: &line)
        for (key, value) in entry.fields {
            line.append(UInt8(ascii: ","))
            Self.appendQuoted(key, to: &line)
            line.append(UInt8(ascii: ":"))
            switch value {
            case .text(let text): Self.appendQuoted(text, to: &line)
            case .integer(let integer): line += "\(integer)".utf8
            case .number(let number): line += (number.isFinite ? "\(number)" : "null").utf8
            case .flag(let flag): line += "\(flag)".utf8
            }
        }
        line.append(UInt8(ascii: "}"))
    }

    /// Text as it is, but for control characters, which could forge a second line.
    private static func appendPlain(_ text: String, to line: inout [UInt8]) {
        for byte in text.utf8.prefix(fieldBytesMax) {
            line.append(byte < 0x20 || byte == 0x7F ? UInt8(ascii: "?") : byte)
        }
    }

    /// A JSON string. A text that is cut is cut between characters.
    private static func appendQuoted(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        var count = 0
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += #"\""#.utf8
            case "\\": line += #"\\"#.utf8
            case "\n": line += #"\n"#.utf8
            case "\t": line += #"\t"#.utf8
            case "\r": line += #"\r"#.utf8
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                line += "\\u\(String(repeating: "0", count: 4 - digits.utf8.count))\(digits)".utf8
            default: line += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
            }
            count += 1
            if count >= fieldBytesMax { break }
        }
        line.append(UInt8(ascii: "\""))
    }
}

extension Timestamp {
    /// RFC 3339 in UTC with milliseconds: `2026-01-31T23:59:59.123Z`.
    package var rfc3339: String {
        // Rounded down; the product of the two would not fit the first moment that there is.
        let (whole, rest) = rawValue.quotientAndRemainder(dividingBy: 86_400_000)
        let (days, inDay) = rest < 0 ? (whole - 1, rest + 86_400_000) : (whole, rest)
        // Days to a date of the Gregorian calendar, by H. Hinnant's `civil_from_days`.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        let time = [inDay / 3_600_000, inDay / 60_000 % 60, inDay / 1000 % 60]
            .map { padded($0, 2) }.joined(separator: ":")
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(time)"
            + ".\(padded(inDay % 1000, 3))Z"
    }
}
