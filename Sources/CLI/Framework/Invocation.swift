/// A command line that was read and checked: the command with its values.
struct Invocation {
    let command: Command
    private let values: [String: [String]]
    let arguments: [String]
    let connected = ConnectedClients()

    init(command: Command, values: [String: [String]], arguments: [String]) {
        (self.command, self.values, self.arguments) = (command, values, arguments)
    }

    /// Whether the flag stands there.
    func has(_ name: String) -> Bool { values[name] != nil }
    /// The flag's value.
    func text(_ name: String) -> String? { values[name]?.last }
    /// All values of a flag that may stand several times.
    func all(_ name: String) -> [String] { values[name] ?? [] }
    func integer(_ name: String) -> Int? { text(name).flatMap { Int($0) } }
    func duration(_ name: String) -> Duration? { text(name).flatMap(Self.duration) }
    /// The argument in that place.
    func argument(_ index: Int) -> String? {
        arguments.indices.contains(index) ? arguments[index] : nil
    }

    /// The form of results.
    var output: OutputForm { text("output").flatMap(OutputForm.init) ?? .text }

    /// Time between two rounds of a command that is repeated (`--watch`); nil: it runs once.
    var watchInterval: Duration? { has("watch") ? duration("watch") ?? .seconds(2) : nil }

    /// How long to wait for a cluster.
    var timeout: Duration { duration("timeout") ?? .seconds(30) }

    /// `key=value` flags, in their order.
    func pairs(_ name: String) throws(CLIError) -> [(key: String, value: String)] {
        var pairs: [(key: String, value: String)] = []
        for text in all(name) { pairs.append(try Self.pair(text, what: "--\(name)")) }
        return pairs
    }

    /// Reads `key=value`.
    static func pair(
        _ text: String, what: String
    ) throws(CLIError) -> (key: String, value: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw .usage("\(what) \(text) is not KEY=VALUE")
        }
        return (String(parts[0]), String(parts[1]))
    }

    /// Reads a duration; nil if it is none.
    static func duration(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isNumber || $0 == "." }
        guard let number = Double(digits), number >= 0, number < 1e9 else { return nil }
        switch text.dropFirst(digits.count) {
        case "ms": return .seconds(number / 1000)
        case "", "s": return .seconds(number)
        case "m", "min": return .seconds(number * 60)
        case "h": return .seconds(number * 3600)
        case "d": return .seconds(number * 86400)
        default: return nil
        }
    }
}
