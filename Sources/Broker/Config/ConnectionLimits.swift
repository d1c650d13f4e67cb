/// How many connections there may be at one time. The settings may change while the node runs.
package struct ConnectionLimits: Hashable, Sendable {
    /// `max.connections`
    package var total: Int
    /// `max.connections.per.ip`
    package var perAddress: Int
    /// `max.connections.per.ip.overrides`, by address.
    package var overrides: [String: Int]

    static let overridesKey = "max.connections.per.ip.overrides"

    /// - Throws: if an override is not `address:count`.
    init(_ value: (String) -> ConfigValue?) throws(ConfigError) {
        func limit(_ name: String) -> Int {
            if case .integer(let limit)? = value(name) { Int(clamping: limit) } else { .max }
        }
        total = limit("max.connections")
        perAddress = limit("max.connections.per.ip")
        overrides = try Self.overrides(value(Self.overridesKey)?.text ?? "")
    }

    /// Reads `address:count,…`.
    static func overrides(_ text: String) throws(ConfigError) -> [String: Int] {
        var limits: [String: Int] = [:]
        for entry in ConfigKey.elements(of: text) {
            guard let colon = entry.lastIndex(of: ":"),
                let limit = Int(entry[entry.index(after: colon)...]), limit >= 0
            else { throw ConfigError("\(overridesKey): \(entry) is not address:count") }
            limits[String(entry[..<colon])] = limit
        }
        return limits
    }
}
