/// Whence a value comes, with Kafka's number for it.
package enum ConfigSource: Int8, Sendable {
    case topic = 1
    case dynamicBroker = 2
    case dynamicDefaultBroker = 3
    case staticBroker = 4
    case `default` = 5
    case brokerLogger = 6
    case clientMetrics = 7
    case group = 8
}

/// One name under which a value may be set, with what is set there.
package struct ConfigSynonym: Sendable, Equatable {
    package var name: String
    /// As it was written; for defaults as the table has it.
    package var value: String
    package var source: ConfigSource
}

/// A broker's settings at one moment: dynamic ones of this broker over dynamic ones of all, over
/// the static ones, over the defaults. Topics and groups take their defaults from here.
package struct BrokerConfigView: Sendable {
    package let fixed: ServerConfig
    /// Dynamic settings of this broker.
    package let ofBroker: [String: String]
    /// Dynamic settings of every broker.
    package let ofAllBrokers: [String: String]

    package init(
        fixed: ServerConfig, ofBroker: [String: String] = [:], ofAllBrokers: [String: String] = [:]
    ) {
        (self.fixed, self.ofBroker, self.ofAllBrokers) = (fixed, ofBroker, ofAllBrokers)
    }

    /// The value in force; nil where there is none. A dynamic value that does not parse is passed
    /// over: the controller let it pass under other rules.
    package func value(_ name: String) -> ConfigValue? {
        if let key = ConfigTable.broker[name] {
            for text in [ofBroker[name], ofAllBrokers[name]].compactMap({ $0 }) {
                if let value = try? key.parse(text) { return value }  // else: the next source
            }
        }
        return fixed.value(name)
    }

    /// The same for one listener, whose own settings (`listener.name.<name>.…`) come first.
    package func value(_ name: String, listener: String) -> ConfigValue? {
        let own = "listener.name.\(listener.lowercased()).\(name)"
        if let key = ConfigTable.broker[name], let text = ofBroker[own] ?? ofAllBrokers[own],
            let value = try? key.parse(text)  // else: the next source
        {
            return value
        }
        return fixed.ofListeners[listener.lowercased()]?[name] ?? value(name)
    }

    /// Other names that say the same in another unit, with the name itself in its place.
    private static func family(of name: String) -> [String] {
        let families = [
            ["log.roll.ms", "log.roll.hours"],
            ["log.roll.jitter.ms", "log.roll.jitter.hours"],
            ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
            ["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
        ]
        return families.first { $0.contains(name) } ?? [name]
    }

    /// All that is set for `name`, the value in force first, as Kafka lists it: dynamic ones,
    /// static ones, defaults, each over the whole family; what stands before the first entry of
    /// the name itself is dropped.
    package func synonyms(of name: String) -> [ConfigSynonym] {
        let names = Self.family(of: name)
        var found: [ConfigSynonym] = []
        for (values, source) in [
            (ofBroker, ConfigSource.dynamicBroker), (ofAllBrokers, .dynamicDefaultBroker),
        ] {
            for name in names {
                guard let value = values[name] else { continue }
                found.append(ConfigSynonym(name: name, value: value, source: source))
            }
        }
        for name in names {
            guard let value = fixed.explicit[name] else { continue }
            found.append(ConfigSynonym(name: name, value: value.text, source: .staticBroker))
        }
        for name in names {
            guard let value = ConfigTable.broker[name]?.defaultValue else { continue }
            found.append(ConfigSynonym(name: name, value: value, source: .default))
        }
        return Array(found.drop { $0.name != name })
    }

    /// The default of a topic's or a group's setting: the first of its broker settings that is
    /// set, times its factor, else the table's default.
    package func defaultValue(of key: ConfigKey) -> ConfigValue? {
        for (name, factor) in key.brokerKeys {
            guard let value = value(name) else { continue }
            // A broker's null means "look at the next"; so does a default beside a set sibling.
            if case .integer(let integer) = value, factor != 1 {
                let (product, overflow) = integer.multipliedReportingOverflow(by: factor)
                return .integer(overflow ? .max : product)
            }
            return value
        }
        return key.defaultValue.flatMap { try? key.parse($0) }  // a table's default parses
    }

    /// The value in force of one of a topic's settings.
    package func topicValue(_ name: String, overrides: [String: String]) -> ConfigValue? {
        guard let key = ConfigTable.topic[name] else { return nil }
        if let text = overrides[name], let value = try? key.parse(text) { return value }
        return defaultValue(of: key)
    }
}
