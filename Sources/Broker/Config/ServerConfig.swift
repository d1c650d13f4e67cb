/// What server.properties, the environment and the flags say together: the static settings of a
/// node, checked key by key. The file is overridden by the environment, both by flags.
package struct ServerConfig: Sendable {
    /// What was given, by key; what was not is the table's default.
    package private(set) var explicit: [String: ConfigValue] = [:]
    /// What was given as `listener.name.NAME.key`, by listener in lower case.
    package private(set) var ofListeners: [String: [String: ConfigValue]] = [:]
    /// Lines to log at the start.
    package private(set) var warnings: [String] = []

    private static let listenerPrefix = "listener.name."
    private static let environmentPrefix = "MILLRACE_"
    /// Variables that the command line reads itself.
    private static let variablesOfTools: Set = [
        "MILLRACE_BOOTSTRAP_SERVER", "MILLRACE_PROFILE", "MILLRACE_BIN", "MILLRACE_SOAK_MINUTES",
    ]

    /// Reads all sources.
    /// - Parameters:
    ///   - file: the file's name, for messages, and its text; nil for none.
    ///   - overrides: `key=value` of the flags.
    /// - Throws: `ConfigError`: the source and line, what is wrong, and the nearest name.
    package init(
        file: (name: String, text: String)? = nil, environment: [String: String] = [:],
        overrides: [String] = []
    ) throws(ConfigError) {
        var unused: [String] = []
        if let file {
            let properties: [Property]
            do {
                properties = try PropertiesFile.parse(file.text)
            } catch {
                throw ConfigError("\(file.name): \(error)")
            }
            for property in properties {
                let origin = "\(file.name):\(property.line)"
                try set(property.key, property.value, origin, &unused)
            }
        }
        try read(environment, &unused)
        for text in overrides {
            guard let mark = text.firstIndex(of: "="), mark > text.startIndex else {
                throw ConfigError("--override \(text): wants key=value")
            }
            let key = String(text[..<mark]).trimmed
            try set(key, String(text[text.index(after: mark)...]), "--override \(key)", &unused)
        }
        if !unused.isEmpty {
            let names = Set(unused).sorted().joined(separator: ", ")
            warnings.append("accepted, but not used by this version: \(names)")
        }
    }

    private mutating func read(
        _ environment: [String: String], _ unused: inout [String]
    ) throws(ConfigError) {
        let variables = environment.filter {
            $0.key.hasPrefix(Self.environmentPrefix) && !Self.variablesOfTools.contains($0.key)
        }
        if variables.isEmpty { return }
        var names: [String: String] = [:]
        for key in ConfigTable.broker.keys { names[Self.variable(for: key.name)] = key.name }
        for (variable, value) in variables.sorted(by: { $0.key < $1.key }) {
            if let key = names[variable] ?? Self.listenerKey(of: variable, names) {
                try set(key, value, "environment variable \(variable)", &unused)
            } else {
                warnings.append("environment variable \(variable) names no setting: ignored")
            }
        }
    }

    private static func variable(for key: String) -> String {
        environmentPrefix + String(key.uppercased().map { $0 == "." ? "_" : $0 })
    }

    /// `MILLRACE_LISTENER_NAME_INTERNAL_SSL_CLIENT_AUTH` is listener.name.internal.ssl.client.auth.
    private static func listenerKey(of variable: String, _ names: [String: String]) -> String? {
        let prefix = "MILLRACE_LISTENER_NAME_"
        guard variable.hasPrefix(prefix) else { return nil }
        let rest = variable.dropFirst(prefix.count)
        for index in rest.indices where rest[index] == "_" && index != rest.startIndex {
            let suffix = rest[rest.index(after: index)...]
            if let key = names["MILLRACE_\(suffix)"] {
                return "\(listenerPrefix)\(rest[..<index].lowercased()).\(key)"
            }
        }
        return nil
    }

    private mutating func set(
        _ key: String, _ text: String, _ origin: String, _ unused: inout [String]
    ) throws(ConfigError) {
        var (name, listener) = (key, String?.none)
        if key.hasPrefix(Self.listenerPrefix) {
            let rest = key.dropFirst(Self.listenerPrefix.count)
            if let dot = rest.firstIndex(of: ".") {
                listener = rest[..<dot].lowercased()
                name = String(rest[rest.index(after: dot)...])
            }
        }
        guard let row = ConfigTable.broker[name] else {
            let nearest = ConfigTable.broker.nearestName(to: name)
            let hint = nearest.map { "; the nearest is \($0)" } ?? ""
            throw ConfigError("\(origin): unknown setting \(key)\(hint)")
        }
        let value: ConfigValue
        do {
            value = try row.parse(text)
        } catch {
            let shown = row.isSensitive ? "a value that is not valid for \(name)" : "\(error)"
            throw ConfigError("\(origin): \(shown)")
        }
        if row.documentation == nil { unused.append(key) }
        if let listener {
            ofListeners[listener, default: [:]][name] = value
        } else {
            explicit[name] = value
        }
    }

    /// The static value of a setting: what was given, else the default; nil where there is none.
    package func value(_ name: String) -> ConfigValue? {
        if let given = explicit[name] { return given }
        guard let key = ConfigTable.broker[name], let text = key.defaultValue else { return nil }
        // A default is right by the table's test; an empty text of a list is the empty list.
        return try? key.parse(text)
    }

    /// The same for one listener, whose own settings come first.
    package func value(_ name: String, listener: String) -> ConfigValue? {
        ofListeners[listener.lowercased()]?[name] ?? value(name)
    }

    package func integer(_ name: String) -> Int64? {
        if case .integer(let value)? = value(name) { return value }
        return nil
    }

    package func boolean(_ name: String) -> Bool {
        if case .boolean(true)? = value(name) { return true }
        return false
    }

    package func list(_ name: String) -> [String] {
        if case .list(let values)? = value(name) { return values }
        return []
    }

    package func text(_ name: String) -> String? {
        if case .text(let text)? = value(name) { return text }
        return nil
    }

    /// An integer that has a default.
    package func int(_ name: String) -> Int {
        guard let value = integer(name) else {
            preconditionFailure("\(name) is an integer with a default")
        }
        return Int(value)
    }
}
