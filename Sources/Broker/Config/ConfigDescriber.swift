package import MillraceBase
package import MillraceProtocol
internal import Metadata

/// The kinds of resources that have settings, with Kafka's numbers.
package enum ConfigResourceType: Int8, Sendable {
    case topic = 2
    case broker = 4
    case brokerLogger = 8
    case clientMetrics = 16
    case group = 32
}

/// Answers DescribeConfigs from what is in force at one moment.
package struct ConfigDescriber {
    package typealias Response = DescribeConfigsResponse
    package typealias Entry = DescribeConfigsResponse.Result.Config

    private let view: BrokerConfigView
    private let nodeID: NodeID
    /// The dynamic settings of a resource; nil for a topic that does not exist.
    private let stored: (ConfigResourceType, String) -> [String: String]?
    private let loggers: () -> [(module: String, level: LogLevel)]

    /// - Parameters:
    ///   - stored: the dynamic settings of a resource, by kind and name; nil where there is no
    ///     such topic.
    ///   - loggers: this node's loggers with their levels.
    package init(
        view: BrokerConfigView, nodeID: NodeID,
        stored: @escaping (ConfigResourceType, String) -> [String: String]?,
        loggers: @escaping () -> [(module: String, level: LogLevel)]
    ) {
        (self.view, self.nodeID, self.stored, self.loggers) = (view, nodeID, stored, loggers)
    }

    /// A refusal: Kafka's error and text.
    private struct Refusal: Error {
        var code: ErrorCode
        var text: String
    }

    /// Whether an answer shows synonyms and documentation.
    private struct Detail {
        var synonyms: Bool
        var documentation: Bool
    }

    /// Answers every resource in the order of the request.
    package func answer(_ request: DescribeConfigsRequest) -> Response {
        var response = Response()
        let detail = Detail(
            synonyms: request.includeSynonyms, documentation: request.includeDocumentation)
        for resource in request.resources {
            var result = Response.Result()
            result.resourceType = resource.resourceType
            result.resourceName = resource.resourceName
            do throws(Refusal) {
                let entries = try entries(resource, detail)
                let wanted = resource.configurationKeys.map(Set.init) ?? []
                result.configs =
                    wanted.isEmpty ? entries : entries.filter { wanted.contains($0.name) }
            } catch {
                result.errorCode = error.code.rawValue
                result.errorMessage = error.text
            }
            response.results.append(result)
        }
        return response
    }

    private func entries(
        _ resource: DescribeConfigsRequest.Resource, _ detail: Detail
    ) throws(Refusal) -> [Entry] {
        let name = resource.resourceName
        switch ConfigResourceType(rawValue: resource.resourceType) {
        case .topic: return try topic(name, detail)
        case .broker: return try broker(name, detail)
        case .brokerLogger: return try brokerLogger(name, detail)
        case .clientMetrics: return try clientMetrics(name, detail)
        case .group: return try group(name, detail)
        case nil:
            throw Refusal(
                code: .invalidRequest,
                text: "This most likely occurs because of a request being malformed by the client "
                    + "library or the message was sent to an incompatible broker. See the broker "
                    + "logs for more details.")
        }
    }

    private func topic(_ name: String, _ detail: Detail) throws(Refusal) -> [Entry] {
        if let text = TopicName.refusal(of: name) {
            throw Refusal(code: .invalidTopicException, text: text)
        }
        guard let overrides = stored(.topic, name) else {
            throw Refusal(code: .unknownTopicOrPartition, text: "")
        }
        return ConfigTable.topic.keys.filter { !$0.isInternal }.map { key in
            var synonyms = key.brokerKeys.first.map { view.synonyms(of: $0.name) } ?? []
            let value = view.topicValue(key.name, overrides: overrides)?.text
            if overrides[key.name] != nil {
                synonyms.insert(
                    ConfigSynonym(name: key.name, value: value ?? "", source: .topic), at: 0)
            }
            return entry(key, value: value, synonyms, readOnly: false, detail)
        }
    }

    private func broker(_ name: String, _ detail: Detail) throws(Refusal) -> [Entry] {
        if name.isEmpty {
            // What is set for all brokers, and nothing else.
            return view.ofAllBrokers.sorted { $0.key < $1.key }.compactMap { name, value in
                guard let key = ConfigTable.broker[name] ?? ConfigTable.throttles[name] else {
                    return nil
                }
                let synonyms = view.synonyms(of: name).filter { $0.source == .dynamicDefaultBroker }
                return entry(
                    key, value: value, synonyms, readOnly: key.mutability == .readOnly, detail)
            }
        }
        guard let id = Int32(name) else {
            throw Refusal(
                code: .invalidRequest, text: "Broker id must be an integer, but it is: \(name)")
        }
        guard id == nodeID.rawValue else {
            throw Refusal(
                code: .invalidRequest,
                text: "Unexpected broker id, expected \(nodeID.rawValue) or empty string, "
                    + "but received \(name)")
        }
        let dynamic = ConfigTable.throttles.keys.filter { view.ofBroker[$0.name] != nil }
        return (ConfigTable.broker.keys.filter { !$0.isInternal } + dynamic).map { key in
            entry(
                key, value: view.value(key.name)?.text ?? view.ofBroker[key.name],
                view.synonyms(of: key.name), readOnly: key.mutability == .readOnly, detail)
        }
    }

    private func brokerLogger(_ name: String, _ detail: Detail) throws(Refusal) -> [Entry] {
        if name.isEmpty {
            throw Refusal(code: .invalidRequest, text: "Broker id must not be empty")
        }
        guard let id = Int32(name) else {
            throw Refusal(
                code: .invalidRequest, text: "Broker id must be an integer, but it is: \(name)")
        }
        guard id == nodeID.rawValue else {
            throw Refusal(
                code: .invalidRequest,
                text: "Unexpected broker id, expected \(nodeID.rawValue) but received \(name)")
        }
        return loggers().map { module, level in
            var entry = Entry()
            entry.name = module
            entry.value = "\(level.name)".uppercased()
            entry.configSource = ConfigSource.brokerLogger.rawValue
            return entry
        }
    }

    private func clientMetrics(_ name: String, _ detail: Detail) throws(Refusal) -> [Entry] {
        if name.isEmpty {
            throw Refusal(
                code: .invalidRequest, text: "Client metrics subscription name must not be empty")
        }
        let overrides = stored(.clientMetrics, name) ?? [:]
        return ConfigTable.clientMetrics.keys.map { key in
            let value = overrides[key.name] ?? key.defaultValue
            let own = overrides[key.name].map {
                ConfigSynonym(name: key.name, value: $0, source: .clientMetrics)
            }
            return entry(key, value: value, own.map { [$0] } ?? [], readOnly: false, detail)
        }
    }

    private func group(_ name: String, _ detail: Detail) throws(Refusal) -> [Entry] {
        if name.isEmpty {
            throw Refusal(code: .invalidRequest, text: "Group name must not be empty")
        }
        let overrides = stored(.group, name) ?? [:]
        return ConfigTable.group.keys.map { key in
            var synonyms: [ConfigSynonym]
            if let broker = key.brokerKeys.first {
                synonyms = view.synonyms(of: broker.name)
            } else {
                synonyms = [
                    ConfigSynonym(name: key.name, value: key.defaultValue ?? "", source: .default)
                ]
            }
            let value = overrides[key.name] ?? view.defaultValue(of: key)?.text
            if let own = overrides[key.name] {
                synonyms.insert(ConfigSynonym(name: key.name, value: own, source: .group), at: 0)
            }
            return entry(key, value: value, synonyms, readOnly: false, detail)
        }
    }

    private func entry(
        _ key: ConfigKey, value: String?, _ synonyms: [ConfigSynonym], readOnly: Bool,
        _ detail: Detail
    ) -> Entry {
        var entry = Entry()
        entry.name = key.name
        entry.value = key.isSensitive ? nil : value
        entry.readOnly = readOnly
        let source = synonyms.first?.source ?? .default
        entry.configSource = source.rawValue
        entry.isSensitive = key.isSensitive
        entry.configType = key.type.code
        entry.documentation = detail.documentation ? key.shownDocumentation : nil
        if detail.synonyms {
            entry.synonyms = synonyms.map { synonym in
                var shown = Entry.Synonym()
                shown.name = synonym.name
                shown.value = key.isSensitive ? nil : synonym.value
                shown.source = synonym.source.rawValue
                return shown
            }
        }
        return entry
    }
}
