package import Metadata
package import MillraceProtocol

extension ConfigRules: ConfigJudging {
    package func isList(_ name: String, of kind: ConfigResource.Kind) -> Bool {
        key(name, kind)?.type == .list
    }

    package func defaultList(_ name: String, of kind: ConfigResource.Kind) -> String {
        guard let key = key(name, kind) else { return "" }
        switch kind {
        case .topic, .group: return view.defaultValue(of: key)?.text ?? ""
        case .broker, .brokerLogger: return view.fixed.value(name)?.text ?? ""
        case .clientMetrics: return key.defaultValue ?? ""
        }
    }

    private func key(_ name: String, _ kind: ConfigResource.Kind) -> ConfigKey? {
        switch kind {
        case .topic: ConfigTable.topic[name]
        case .broker: ConfigTable.broker[name] ?? ConfigTable.throttles[name]
        case .group: ConfigTable.group[name]
        case .clientMetrics: ConfigTable.clientMetrics[name]
        case .brokerLogger: nil
        }
    }

    package func described(topic overrides: [String: String]) -> [CreateTopicsResponse.Topic.Config]
    {
        ConfigTable.topic.keys.filter { !$0.isInternal }.map { key in
            var config = CreateTopicsResponse.Topic.Config()
            config.name = key.name
            config.value = view.topicValue(key.name, overrides: overrides)?.text
            config.readOnly = false
            let broker = key.brokerKeys.first.flatMap { view.synonyms(of: $0.name).first?.source }
            let source = overrides[key.name] != nil ? .topic : broker ?? ConfigSource.default
            config.configSource = source.rawValue
            config.isSensitive = key.isSensitive
            return config
        }
    }
}
