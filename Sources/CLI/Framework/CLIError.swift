/// Why a command ends without having done what was asked: one line, and the exit code.
struct CLIError: Error {
    var message: String
    var exitCode: ExitCode

    init(_ message: String, _ exitCode: ExitCode = .failed) {
        (self.message, self.exitCode) = (message, exitCode)
    }

    static func usage(_ message: String) -> CLIError { CLIError(message, .usage) }
}

/// Finds what somebody probably meant.
enum NearestName {
    /// The name nearest to `text`, if it is near enough to be a slip of the hand.
    static func of(_ text: String, in names: [String]) -> String? {
        let typed = Array(text.lowercased())
        let found = names.map { (name: $0, distance: distance(typed, Array($0.lowercased()))) }
            .min { $0.distance < $1.distance }
        guard let found else { return nil }
        let isPrefix = text.count >= 2 && found.name.hasPrefix(text)
        return found.distance <= max(1, typed.count / 3) || isPrefix ? found.name : nil
    }

    /// `: did you mean "x"?`, or nothing.
    static func hint(_ text: String, in names: [String]) -> String {
        of(text, in: names).map { ": did you mean \"\($0)\"?" } ?? ""
    }

    /// Edits (insert, delete, replace, swap of neighbours) between two texts.
    private static func distance(_ a: [Character], _ b: [Character]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var best = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    best = min(best, beforeLast[j - 1] + 1)
                }
                row.append(best)
            }
            (beforeLast, last) = (last, row)
        }
        return last.last ?? a.count
    }
}
