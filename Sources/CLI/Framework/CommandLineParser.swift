/// What a command line asks for.
enum Request {
    case run(Invocation)
    /// Help about a command, a noun (nil verb), or all.
    case help(command: Command?, noun: Noun?)
    case version
}

/// Reads a command line by the table of commands. Flags may stand anywhere; `--` ends them.
struct CommandLineParser {
    let nouns: [Noun]
    let topLevel: [Command]

    private var values: [String: [String]] = [:]
    private var positional: [String] = []
    private var command: Command?
    private var noun: Noun?
    /// Flags that stood before the command was known.
    private var early: [String] = []
    private var wantsHelp = false
    private var wantsVersion = false

    init(nouns: [Noun], topLevel: [Command]) {
        (self.nouns, self.topLevel) = (nouns, topLevel)
    }

    /// Reads the words behind the program's name.
    mutating func parse(_ words: [String]) throws(CLIError) -> Request {
        var rest = words[...]
        var flagsEnded = false
        while let word = rest.popFirst() {
            if !flagsEnded, word == "--" {
                flagsEnded = true
            } else if !flagsEnded, word.hasPrefix("--") {
                try long(String(word.dropFirst(2)), &rest)
            } else if !flagsEnded, word.hasPrefix("-"), word.count > 1 {
                try short(Array(word.dropFirst()), &rest)
            } else {
                try take(word)
            }
        }
        if wantsVersion { return .version }
        if wantsHelp { return .help(command: command, noun: noun) }
        guard let command else {
            guard let noun else { return .help(command: nil, noun: nil) }
            throw .usage(
                "what about \(noun.name)? millrace \(noun.name) "
                    + noun.commands.map { $0.path.last ?? "" }.joined(separator: "|"))
        }
        try check(command)
        return .run(Invocation(command: command, values: values, arguments: positional))
    }

    private mutating func take(_ word: String) throws(CLIError) {
        if command != nil {
            positional.append(word)
        } else if word == "help" {
            wantsHelp = true
        } else if let noun {
            guard let found = noun.commands.first(where: { $0.path.last == word }) else {
                let names = noun.commands.compactMap(\.path.last)
                throw .usage(
                    "\(noun.name) has no \"\(word)\"" + NearestName.hint(word, in: names)
                        + " (there are \(names.joined(separator: ", ")))")
            }
            command = found
        } else if let found = topLevel.first(where: { $0.path == [word] }) {
            command = found
        } else if let found = nouns.first(where: { $0.name == word }) {
            noun = found
        } else {
            let names = nouns.map(\.name) + topLevel.map(\.name)
            throw .usage(
                "no command \"\(word)\"" + NearestName.hint(word, in: names)
                    + " (millrace --help lists them)")
        }
    }

    private var known: [Flag] { command?.allFlags ?? SharedFlags.all }

    private mutating func long(
        _ text: String, _ rest: inout ArraySlice<String>
    ) throws(CLIError) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let flag = known.first(where: { $0.name == name }) else {
            throw unknown("--\(name)", name)
        }
        try set(flag, inline: parts.count > 1 ? String(parts[1]) : nil, &rest)
    }

    private mutating func short(
        _ letters: [Character], _ rest: inout ArraySlice<String>
    ) throws(CLIError) {
        var index = 0
        while index < letters.count {
            let letter = letters[index]
            guard let flag = known.first(where: { $0.short == letter }) else {
                throw unknown("-\(letter)", String(letter))
            }
            index += 1
            if flag.value == .none {
                try set(flag, inline: nil, &rest)
            } else {
                var value = String(letters[index...])
                if value.hasPrefix("=") { value.removeFirst() }
                return try set(flag, inline: value.isEmpty ? nil : value, &rest)
            }
        }
    }

    private func unknown(_ shown: String, _ name: String) -> CLIError {
        let hint = NearestName.hint(name, in: known.map(\.name))
            .replacing("\"", with: "", maxReplacements: 1)
        let mended = hint.isEmpty ? "" : hint.replacing("mean ", with: "mean --")
        let place = command.map { "millrace \($0.name)" } ?? "millrace"
        return .usage(
            "\(place) has no flag \(shown)" + mended.replacing("\"", with: "")
                + (mended.isEmpty ? ": \(place) --help lists them" : ""))
    }

    private mutating func set(
        _ flag: Flag, inline: String?, _ rest: inout ArraySlice<String>
    ) throws(CLIError) {
        if flag.name == "help" { wantsHelp = true }
        if flag.name == "version", command == nil { wantsVersion = true }
        if command == nil { early.append(flag.name) }
        guard flag.value != .none else {
            if inline != nil { throw .usage("--\(flag.name) takes no value") }
            values[flag.name] = [""]
            return
        }
        let isBare = flag.value == .optionalDuration && inline == nil
        guard let value = isBare ? "" : inline ?? rest.popFirst() else {
            throw .usage("--\(flag.name) needs a value: --\(flag.name) \(flag.value.placeholder)")
        }
        if !isBare { try Self.check(value, of: flag) }
        if values[flag.name] != nil, !flag.isRepeated {
            throw .usage("--\(flag.name) stands there twice")
        }
        values[flag.name, default: []].append(value)
    }

    private static func check(_ value: String, of flag: Flag) throws(CLIError) {
        switch flag.value {
        case .integer(let range):
            guard let number = Int(value), range.contains(number) else {
                let upper = range.upperBound == .max ? "" : " to \(range.upperBound)"
                let wanted = "a whole number from \(range.lowerBound)" + upper
                throw .usage("--\(flag.name) \(value) is not \(wanted)")
            }
        case .choice(let names):
            guard !names.contains(value) else { return }
            throw .usage(
                "--\(flag.name) \(value) is none of \(names.joined(separator: ", "))"
                    + NearestName.hint(value, in: names))
        case .duration, .optionalDuration:
            guard Invocation.duration(value) != nil else {
                throw .usage("--\(flag.name) \(value) is no duration such as 500ms, 10s, 5m, 2h")
            }
        case .none, .text, .file, .directory: break
        }
    }

    private func check(_ command: Command) throws(CLIError) {
        for name in early where command.flag(named: name) == nil {
            throw .usage("millrace \(command.name) has no flag --\(name)")
        }
        let needed = command.arguments.filter { !$0.isOptional }.count
        if positional.count < needed {
            throw .usage(
                "\(command.arguments[positional.count].name) is missing: \(command.usage)")
        }
        let takesMore = command.arguments.last?.isVariadic ?? false
        if positional.count > command.arguments.count, !takesMore {
            let word = positional[command.arguments.count]
            // A file's name without its flag, where a command takes nothing else.
            let flag = command.flags.first { $0.value == .file && command.arguments.isEmpty }
            throw .usage(
                "\"\(word)\" is one argument too many: "
                    + (flag.map { "did you mean --\($0.name) \(word)?" } ?? command.usage))
        }
        for flag in command.flags where flag.isRequired && values[flag.name] == nil {
            throw .usage("--\(flag.name) \(flag.value.placeholder) is missing")
        }
    }
}
