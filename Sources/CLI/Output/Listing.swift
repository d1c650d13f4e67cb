/// The form of results on standard output.
enum OutputForm: String {
    case text, wide, json
}

/// A column of a table.
struct Column {
    var title: String
    /// Shown with `-o wide` only.
    var isWide = false
    /// Numbers stand at the right.
    var alignsRight = false

    init(_ title: String, wide: Bool = false, right: Bool = false) {
        (self.title, isWide, alignsRight) = (title, wide, right)
    }
}

/// A result: rows for people, a document for programs.
struct Listing {
    var columns: [Column]
    var rows: [[String]]
    var json: JSONValue

    /// The table, ready to print; unknown values are `-`.
    func table(wide: Bool, headers: Bool) -> String {
        let shown = columns.indices.filter { wide || !columns[$0].isWide }
        var lines = rows.map { row in shown.map { row[$0].isEmpty ? "-" : Self.clean(row[$0]) } }
        if headers { lines.insert(shown.map { columns[$0].title }, at: 0) }
        let widths = shown.indices.map { place in lines.map { $0[place].count }.max() ?? 0 }
        return lines.map { line in
            var text = ""
            for place in line.indices {
                let padding = String(repeating: " ", count: widths[place] - line[place].count)
                let isLast = place == line.count - 1
                if columns[shown[place]].alignsRight {
                    text += padding + line[place]
                } else {
                    text += line[place] + (isLast ? "" : padding)
                }
                if !isLast { text += "  " }
            }
            return text + "\n"
        }.joined()
    }

    /// A cell stays on its line and leaves the terminal as it was.
    private static func clean(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "\u{FFFD}" : $0 }))
    }
}

extension Invocation {
    /// Prints a result in the form that was asked for.
    func show(_ listing: Listing) {
        switch output {
        case .json: write(listing.json)
        case .text, .wide:
            Terminal.write(
                listing.table(wide: output == .wide, headers: !has("no-headers")))
        }
    }

    /// Prints a document; one of many stands on one line.
    func write(_ document: JSONValue) {
        Terminal.write(document.text(indented: watchInterval == nil) + "\n")
    }

    /// Prints what was done: a sentence on standard error for people, a document for programs.
    func report(_ sentence: String, json: JSONValue) {
        if output == .json {
            write(json)
        } else {
            Terminal.note(sentence)
        }
    }
}
