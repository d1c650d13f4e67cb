/// Why settings were refused: one line for whoever wrote them.
package struct ConfigError: Error, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }

    /// Kafka's text for a value that a setting cannot have.
    static func invalid(_ value: String, _ name: String, _ reason: String) -> ConfigError {
        ConfigError("Invalid value \(value) for configuration \(name): \(reason)")
    }
}
