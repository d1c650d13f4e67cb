/// What a flag takes behind its name.
enum FlagValue: Equatable, Sendable {
    /// Nothing: it is there or not.
    case none
    /// A text; the placeholder stands in the help.
    case text(String)
    case integer(ClosedRange<Int>)
    /// `250ms`, `10s`, `5m`, `2h`; a bare number is seconds.
    case duration
    /// The same, if it stands behind `=`; the flag may also stand alone.
    case optionalDuration
    case choice([String])
    case file
    case directory

    /// How help and reference show it.
    var placeholder: String {
        switch self {
        case .none: ""
        case .text(let name): name
        case .integer: "N"
        case .duration, .optionalDuration: "DURATION"
        case .choice(let names): names.joined(separator: "|")
        case .file: "FILE"
        case .directory: "DIR"
        }
    }
}

/// One flag of a command, as parser, help, completion and reference see it.
struct Flag: Equatable, Sendable {
    /// Without the dashes.
    var name: String
    var short: Character?
    var value: FlagValue
    /// May stand several times.
    var isRepeated = false
    var isRequired = false
    /// One sentence without a full stop.
    var doc: String

    init(
        _ name: String, short: Character? = nil, _ value: FlagValue,
        repeated: Bool = false, required: Bool = false, _ doc: String
    ) {
        (self.name, self.short, self.value, self.doc) = (name, short, value, doc)
        (isRepeated, isRequired) = (repeated, required)
    }

    /// A flag that is there or not.
    init(_ name: String, short: Character? = nil, _ doc: String) {
        self.init(name, short: short, FlagValue.none, doc)
    }

    /// `-b, --bootstrap-server HOST:PORT`.
    var usage: String {
        let short = self.short.map { "-\($0), " } ?? "    "
        let place = value.placeholder
        if value == .optionalDuration { return "\(short)--\(name)[=\(place)]" }
        return "\(short)--\(name)" + (place.isEmpty ? "" : " \(place)")
    }
}

/// One positional argument.
struct Argument: Equatable, Sendable {
    var name: String
    var isOptional = false
    /// Takes all that follow; the last one only.
    var isVariadic = false
    var doc: String
    /// Values that completion offers.
    var choices: [String] = []

    init(
        _ name: String, optional: Bool = false, variadic: Bool = false, choices: [String] = [],
        _ doc: String
    ) {
        (self.name, self.doc, self.choices) = (name, doc, choices)
        (isOptional, isVariadic) = (optional, variadic)
    }

    var usage: String {
        let text = name.uppercased() + (isVariadic ? "..." : "")
        return isOptional ? "[\(text)]" : text
    }
}

/// How a command ends.
enum ExitCode: Int32, Sendable {
    case done = 0
    /// It failed, or a row of it did.
    case failed = 1
    /// A check says unhealthy.
    case unhealthy = 2
    /// Unreachable or timed out.
    case unreachable = 3
    case denied = 4
    case usage = 64
    case interrupted = 130

    static let meanings: [(code: ExitCode, text: String)] = [
        (.done, "done"), (.failed, "failed, or any row failed"),
        (.unhealthy, "a check says unhealthy"), (.unreachable, "unreachable or timed out"),
        (.denied, "denied"), (.usage, "usage"), (.interrupted, "interrupted"),
    ]
}

/// One thing that a person can ask for.
struct Command: Sendable {
    /// `["topic", "create"]`, or one word for a command at the top.
    var path: [String]
    /// One line.
    var summary: String
    /// More about it, and examples; whole paragraphs.
    var details: String = ""
    var arguments: [Argument] = []
    var flags: [Flag] = []
    /// Whether it talks to a cluster: gives it the flags of a connection.
    var isClient = false
    /// Whether it takes `--output`.
    var hasOutput = true
    /// Not listed in help.
    var isHidden = false
    var run: @Sendable (Invocation) throws(CLIError) -> ExitCode

    var name: String { path.joined(separator: " ") }

    /// Whether it takes `--watch`: what shows a state and changes nothing can be repeated.
    var isWatchable: Bool {
        hasOutput && path.count == 2
            && ["list", "describe", "status", "info"].contains(path.last)
    }

    /// Its own flags, then those that it shares with others.
    var allFlags: [Flag] {
        flags + (hasOutput ? SharedFlags.output : []) + (isWatchable ? SharedFlags.watch : [])
            + (isClient ? SharedFlags.connection : []) + SharedFlags.help
    }

    func flag(named name: String) -> Flag? { allFlags.first { $0.name == name } }
    func flag(short: Character) -> Flag? { allFlags.first { $0.short == short } }

    /// `millrace topic create NAME [flags]`.
    var usage: String {
        (["millrace"] + path + arguments.map(\.usage) + (flags.isEmpty ? [] : ["[flags]"]))
            .joined(separator: " ")
    }
}

/// Commands about one thing.
struct Noun: Sendable {
    var name: String
    var summary: String
    var commands: [Command]
}

/// Flags that several commands have.
enum SharedFlags {
    static let output = [
        Flag("output", short: "o", .choice(["text", "wide", "json"]), "How results are shown"),
        Flag("no-headers", "Tables without their first line"),
    ]
    static let watch = [
        Flag(
            "watch", .optionalDuration,
            "Show it again every two seconds, or as long as it says, until Ctrl-C")
    ]
    static let connection = [
        Flag(
            "bootstrap-server", short: "b", .text("HOST:PORT[,...]"),
            "Where to find the cluster (else MILLRACE_BOOTSTRAP_SERVER, the profile, "
                + "localhost:9092)"),
        Flag(
            "profile", .text("NAME"),
            "Connection settings from ~/.config/millrace/profiles.properties (else "
                + "MILLRACE_PROFILE)"),
        Flag("ca", .file, "Certificates (PEM) to trust; makes the connection TLS"),
        Flag("cert", .file, "Certificate chain (PEM) to show to the server; makes it TLS"),
        Flag("key", .file, "Private key (PEM) of --cert"),
        Flag("tls", "TLS with the system's certificates"),
        Flag("timeout", .duration, "How long to wait for the cluster (default 30s)"),
    ]
    static let help = [Flag("help", short: "h", "This help")]
    static let all = output + watch + connection + help + [Flag("version", "The version")]
}
