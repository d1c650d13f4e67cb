/// The type of a setting's value, with Kafka's number for it in DescribeConfigs.
package enum ConfigType: String, Sendable {
    case boolean, string, int, short, long, double, list, `class`, password

    /// Kafka's `ConfigType` on the wire.
    package var code: Int8 {
        switch self {
        case .boolean: 1
        case .string: 2
        case .int: 3
        case .short: 4
        case .long: 5
        case .double: 6
        case .list: 7
        case .class: 8
        case .password: 9
        }
    }
}

/// Whether a setting can change while the node runs.
package enum ConfigMutability: String, Sendable {
    case readOnly = "read-only"
    case perBroker = "per-broker"
    case clusterWide = "cluster-wide"
}

/// One setting: a row of a table.
package struct ConfigKey: Sendable {
    package let name: String
    package let type: ConfigType
    /// nil: there is none. An empty text is an empty list or text.
    package let defaultValue: String?
    /// Whether server.properties must give it.
    package let isRequired: Bool
    package let mutability: ConfigMutability
    /// The range or the values, as Kafka's documentation shows them; `-` takes all that parses.
    package let valid: String
    package let importance: String
    /// For topics and groups: broker settings that give the default, the first that is set, and
    /// what their value is multiplied by.
    package let brokerKeys: [(name: String, factor: Int64)]
    /// What it does; nil for a key that Kafka has and this node does not use.
    package let documentation: String?

    /// Hidden from DescribeConfigs, as Kafka's internal settings are.
    package var isInternal: Bool { importance == "internal" }
    package var isSensitive: Bool { type == .password }
    /// The documentation that clients and the reference show.
    package var shownDocumentation: String {
        documentation ?? "Accepted as Kafka does; this version does not use it."
    }
}

/// Settings by name. A table is one text, parsed when it is first asked for: a dictionary literal
/// of 400 rows would take the compiler a minute. A row is
/// `name|type|default|dynamic|valid|importance[|broker keys]`, and the lines below it that begin
/// with a space are its documentation; a row without any is a key that this node does not use.
package struct ConfigTable: Sendable {
    /// In the order of the rows.
    package let keys: [ConfigKey]
    private let positions: [String: Int]

    /// Parses rows; a row that is no row is a bug.
    package init(_ texts: String...) {
        var keys: [ConfigKey] = []
        var row: Substring?
        var documentation: [Substring] = []
        func finish() {
            if let row { keys.append(Self.key(row, documentation.joined(separator: " "))) }
        }
        for text in texts {
            for line in text.split(separator: "\n") {
                if line.first == " " {
                    documentation.append(line.drop { $0 == " " })
                } else {
                    finish()
                    (row, documentation) = (line, [])
                }
            }
        }
        finish()
        self.keys = keys
        positions = Dictionary(
            keys.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private static func key(_ row: Substring, _ documentation: String) -> ConfigKey {
        let fields = row.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        guard fields.count >= 6, let type = ConfigType(rawValue: fields[1]),
            let mutability = ConfigMutability(rawValue: fields[3])
        else { preconditionFailure("a row of a table has six columns: \(row)") }
        let brokerKeys = fields.count > 6 ? fields[6].split(separator: ",") : []
        return ConfigKey(
            name: fields[0], type: type,
            defaultValue: ["null", "(required)"].contains(fields[2]) ? nil : fields[2],
            isRequired: fields[2] == "(required)", mutability: mutability, valid: fields[4],
            importance: fields[5],
            brokerKeys: brokerKeys.map { text in
                let parts = text.split(separator: "*")
                return (String(parts[0]), parts.count > 1 ? Int64(parts[1]) ?? 1 : 1)
            },
            documentation: documentation.isEmpty ? nil : documentation)
    }

    package subscript(name: String) -> ConfigKey? { positions[name].map { keys[$0] } }

    /// The name that is fewest edits away from `name`, where that is few enough to be meant.
    package func nearestName(to name: String) -> String? {
        var best: (name: String, distance: Int)?
        for key in keys {
            let limit = best?.distance ?? max(2, name.utf8.count / 3) + 1
            let distance = editDistance(name, key.name, limit: limit)
            if distance < limit { best = (key.name, distance) }
        }
        return best?.name
    }

    /// What server.properties may hold.
    package static let broker = ConfigTable(
        GeneralKeys.rows, NetworkKeys.rows, LogKeys.rows, GroupKeys.rows, SecurityKeys.rows,
        MillraceKeys.rows)
    /// What a broker may be given at run time alone.
    package static let throttles = ConfigTable(ThrottleKeys.rows)
    package static let topic = ConfigTable(TopicKeys.rows)
    package static let group = ConfigTable(GroupConfigKeys.rows)
    package static let clientMetrics = ConfigTable(ClientMetricsKeys.rows)
}

/// Levenshtein's distance of two texts, or `limit` where it is at least that.
func editDistance(_ a: String, _ b: String, limit: Int) -> Int {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    if abs(a.count - b.count) >= limit { return limit }
    var row = Array(0...b.count)
    for (i, byte) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for j in 0..<b.count {
            let substituted = diagonal + (byte == b[j] ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(substituted, min(row[j], diagonal) + 1)
        }
    }
    return min(row[b.count], limit)
}

/// The broker's rows as one text, for the test of how long they take to read.
package enum ConfigTableTexts {
    package static var broker: String {
        [GeneralKeys.rows, NetworkKeys.rows, LogKeys.rows, GroupKeys.rows, SecurityKeys.rows]
            .joined(separator: "\n")
    }
}
