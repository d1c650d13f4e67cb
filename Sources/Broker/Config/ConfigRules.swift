/// Kafka's rules for settings that are written at run time: of topics, brokers, groups and client
/// metrics subscriptions. Every refusal has Kafka's text.
package struct ConfigRules: Sendable {
    let view: BrokerConfigView

    package init(view: BrokerConfigView) { self.view = view }

    /// Checks all overrides of a topic.
    /// - Returns: nil if they are good, else why not.
    package func refusal(ofTopic overrides: [String: String?]) -> String? {
        for name in overrides.keys.sorted() {
            if case .some(.none) = overrides[name] {
                return "Null value not supported for topic configs: \(name)"
            }
        }
        let values = overrides.compactMapValues { $0 }
        for (name, text) in values.sorted(by: { $0.key < $1.key }) {
            guard let key = ConfigTable.topic[name] else {
                return "Unknown topic config name: \(name)"
            }
            do {
                _ = try key.parse(text)
            } catch {
                return error.description
            }
        }
        return conflict(in: values)
    }

    /// What no single value can tell.
    private func conflict(in overrides: [String: String]) -> String? {
        if case .boolean(true)? = view.topicValue("remote.storage.enable", overrides: overrides) {
            return "Tiered Storage functionality is disabled in the broker. "
                + "Topic cannot be configured with remote log storage."
        }
        let (least, most) = ("min.compaction.lag.ms", "max.compaction.lag.ms")
        if case .integer(let low)? = view.topicValue(least, overrides: overrides),
            case .integer(let high)? = view.topicValue(most, overrides: overrides), low > high
        {
            return "conflict topic config setting \(least) (\(low)) > \(most) (\(high))"
        }
        return nil
    }

    /// Checks the dynamic settings of a broker, or of all of them.
    package func refusal(
        ofBroker overrides: [String: String], forAll: Bool
    ) -> String? {
        for (name, text) in overrides.sorted(by: { $0.key < $1.key }) {
            let base = Self.withoutListener(name)
            guard let key = ConfigTable.broker[base] ?? ConfigTable.throttles[base] else {
                continue
            }
            if key.mutability == .readOnly {
                return "Cannot update these configs dynamically: Set(\(name))"
            }
            if forAll, key.mutability == .perBroker {
                return "Cannot update these configs at default cluster level: Set(\(name))"
            }
            do throws(ConfigError) {
                _ = try key.parse(text)
                if name == ConnectionLimits.overridesKey {
                    _ = try ConnectionLimits.overrides(text)
                }
            } catch {
                return error.description
            }
        }
        return nil
    }

    private static func withoutListener(_ name: String) -> String {
        let parts = name.split(separator: ".", maxSplits: 3)
        return parts.count == 4 && parts[0] == "listener" && parts[1] == "name"
            ? String(parts[3]) : name
    }

    /// Checks all settings of a group, together with the node's limits for them.
    package func refusal(ofGroup overrides: [String: String]) -> String? {
        for (name, text) in overrides.sorted(by: { $0.key < $1.key }) {
            guard let key = ConfigTable.group[name] else {
                return "Unknown group config name: \(name)"
            }
            let value: ConfigValue
            do {
                value = try key.parse(text)
            } catch {
                return error.description
            }
            guard case .integer(let number) = value, let broker = key.brokerKeys.first?.name else {
                continue
            }
            if let refusal = beyondLimit(name, number, broker) { return refusal }
        }
        return nil
    }

    /// `group.consumer.session.timeout.ms` has `group.consumer.min.session.timeout.ms` and
    /// `group.consumer.max.session.timeout.ms` beside it, and so have most.
    private func beyondLimit(_ name: String, _ number: Int64, _ broker: String) -> String? {
        let parts = broker.split(separator: ".", maxSplits: 2)
        guard parts.count == 3 else { return nil }
        let standby = parts[2] == "num.standby.replicas"
        let rest = standby ? "standby.replicas" : String(parts[2])
        let prefix = "\(parts[0]).\(parts[1])"
        if case .integer(let low)? = view.value("\(prefix).min.\(rest)"), number < low {
            return "\(name) must be greater than or equal to \(prefix).min.\(rest)"
        }
        if case .integer(let high)? = view.value("\(prefix).max.\(rest)"), number > high {
            return "\(name) must be less than or equal to \(prefix).max.\(rest)"
        }
        return nil
    }

    /// Checks all settings of a client metrics subscription.
    package func refusal(ofClientMetrics overrides: [String: String]) -> String? {
        for (name, text) in overrides.sorted(by: { $0.key < $1.key }) {
            guard let key = ConfigTable.clientMetrics[name] else {
                return "Unknown client metrics configuration: \(name)"
            }
            do {
                if case .integer(let interval) = try key.parse(text), name == "interval.ms",
                    !(100...3_600_000).contains(interval)
                {
                    return "Invalid value \(interval) for interval.ms, interval must be between "
                        + "100 and 3600000"
                }
            } catch {
                return error.description
            }
        }
        return nil
    }
}
