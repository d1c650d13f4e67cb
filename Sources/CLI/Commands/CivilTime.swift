/// Times as people write them: RFC 3339, where the time of day may be left out, its seconds, and
/// its zone (which is UTC then).
enum CivilTime {
    /// Milliseconds since 1970; nil if the text is no time from then on.
    static func milliseconds(_ text: String) -> Int64? {
        let halves = text.split(separator: "T", omittingEmptySubsequences: false)
        guard halves.count <= 2, let days = days(halves[0]) else { return nil }
        var ofDay: Int64 = 0
        if halves.count == 2 {
            guard let time = timeOfDay(halves[1]) else { return nil }
            ofDay = time
        }
        let milliseconds = days * 86_400_000 + ofDay
        return milliseconds >= 0 ? milliseconds : nil
    }

    /// Days since 1970 of `YYYY-MM-DD`.
    private static func days(_ text: Substring) -> Int64? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let year = number(parts[0], digits: 4), year >= 1970,
            let month = number(parts[1], digits: 2), (1...12).contains(month),
            let day = number(parts[2], digits: 2), day >= 1
        else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let length = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= length[Int(month) - 1] else { return nil }
        // By the civil calendar (Howard Hinnant's days_from_civil).
        let shifted = month <= 2 ? year - 1 : year
        let ofEra = shifted % 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return shifted / 400 * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + dayOfYear
            - 719_468
    }

    /// Milliseconds of `HH:MM[:SS[.fraction]]`, then nothing, `Z` or `±HH:MM`.
    private static func timeOfDay(_ text: Substring) -> Int64? {
        var (clock, offset) = (text, Int64(0))
        if text.hasSuffix("Z") {
            clock = text.dropLast()
        } else if let sign = text.lastIndex(where: { $0 == "+" || $0 == "-" }) {
            guard let ahead = minutes(text[text.index(after: sign)...]) else { return nil }
            offset = text[sign] == "+" ? ahead : -ahead
            clock = text[..<sign]
        }
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), let minutes = minutes(clock.prefix(5)) else {
            return nil
        }
        var milliseconds: Int64 = 0
        if parts.count == 3 {
            guard let seconds = seconds(parts[2]) else { return nil }
            milliseconds = seconds
        }
        return (minutes - offset) * 60_000 + milliseconds
    }

    /// Minutes of `HH:MM`.
    private static func minutes(_ text: Substring) -> Int64? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let hours = number(parts[0], digits: 2), hours < 24,
            let minutes = number(parts[1], digits: 2), minutes < 60
        else { return nil }
        return hours * 60 + minutes
    }

    /// Milliseconds of `SS` or `SS.fraction`; a leap second is the one after it.
    private static func seconds(_ text: Substring) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let seconds = number(parts[0], digits: 2), seconds <= 60 else {
            return nil
        }
        guard parts.count == 2 else { return seconds * 1000 }
        let fraction = parts[1]
        guard !fraction.isEmpty, fraction.count <= 9,
            let value = number((fraction + "00").prefix(3), digits: 3),
            fraction.utf8.allSatisfy({ (48...57).contains($0) })
        else { return nil }
        return seconds * 1000 + value
    }

    /// A number of so many digits.
    private static func number(_ text: some StringProtocol, digits: Int) -> Int64? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        return Int64(text)
    }
}
