package import MillraceBase
package import MillraceProtocol

/// What a broker itself answers of a request to change settings before the rest goes to the
/// controller: malformed parts, its own certificates, which it alone can read, and its loggers.
package struct ConfigChangePreparation {
    /// Kafka's numbers of the operations.
    package enum Operation: Int8, Sendable {
        case set = 0
        case delete = 1
        case append = 2
        case subtract = 3

        var name: String { "\(self)".uppercased() }
    }

    /// The error and text of a resource.
    package struct Outcome: Equatable, Sendable {
        package var code: ErrorCode
        package var text: String?

        package init(_ code: ErrorCode, _ text: String?) { (self.code, self.text) = (code, text) }
        package static let done = Outcome(.none, nil)
    }

    private let nodeID: NodeID
    private let sink: LogSink
    private let certificates: CertificateCheck?

    /// - Parameter certificates: what looks at changes of this broker's own TLS; nil: nothing does.
    package init(nodeID: NodeID, sink: LogSink, certificates: CertificateCheck? = nil) {
        (self.nodeID, self.sink, self.certificates) = (nodeID, sink, certificates)
    }

    /// A resource, as both kinds of request have it.
    private struct Key: Hashable {
        var type: Int8
        var name: String
    }

    /// Looks at an incremental request.
    /// - Returns: for each resource what is answered here, nil for those that the controller
    ///   decides.
    package func outcomes(of request: IncrementalAlterConfigsRequest) -> [Outcome?] {
        var counts: [Key: Int] = [:]
        for resource in request.resources {
            counts[Key(type: resource.resourceType, name: resource.resourceName), default: 0] += 1
        }
        return request.resources.map { resource in
            let key = Key(type: resource.resourceType, name: resource.resourceName)
            if let refusal = malformed(key, isRepeated: (counts[key] ?? 0) > 1) { return refusal }
            let missing = resource.configs.filter {
                $0.configOperation != Operation.delete.rawValue && $0.value == nil
            }
            if !missing.isEmpty { return Self.nullValues(missing.map(\.name)) }
            if Set(resource.configs.map(\.name)).count < resource.configs.count {
                return Outcome(.invalidRequest, "Error due to duplicate config keys")
            }
            if key.type == ConfigResourceType.brokerLogger.rawValue {
                return changeLoggers(resource, validateOnly: request.validateOnly)
            }
            return unusable(key) { values in
                for config in resource.configs {
                    switch Operation(rawValue: config.configOperation) {
                    case .set: values[config.name] = config.value
                    case .delete: values[config.name] = nil
                    default: break
                    }
                }
            }
        }
    }

    /// Looks at a request that replaces all settings of its resources.
    package func outcomes(of request: AlterConfigsRequest) -> [Outcome?] {
        var counts: [Key: Int] = [:]
        for resource in request.resources {
            counts[Key(type: resource.resourceType, name: resource.resourceName), default: 0] += 1
        }
        return request.resources.map { resource in
            let key = Key(type: resource.resourceType, name: resource.resourceName)
            if let refusal = malformed(key, isRepeated: (counts[key] ?? 0) > 1) { return refusal }
            let missing = resource.configs.filter { $0.value == nil }
            if !missing.isEmpty { return Self.nullValues(missing.map(\.name)) }
            if key.type == ConfigResourceType.brokerLogger.rawValue {
                return Outcome(
                    .invalidRequest,
                    "AlterConfigs is deprecated and does not support the "
                        + "resource type BROKER_LOGGER.")
            }
            return unusable(key) { values in
                values = Dictionary(
                    resource.configs.map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { $1 })
            }
        }
    }

    private func malformed(_ key: Key, isRepeated: Bool) -> Outcome? {
        if isRepeated {
            return Outcome(.invalidRequest, "Each resource must appear at most once.")
        }
        if ConfigResourceType(rawValue: key.type) == nil {
            return Outcome(.invalidRequest, "Unknown resource type \(key.type)")
        }
        return nil
    }

    /// Refuses TLS settings that this broker cannot use, so that they are never stored.
    private func unusable(_ key: Key, _ change: (inout [String: String]) -> Void) -> Outcome? {
        guard let certificates, key.type == ConfigResourceType.broker.rawValue,
            key.name == String(nodeID.rawValue)
        else { return nil }
        return certificates.refusal(after: change).map { Outcome(.invalidRequest, $0) }
    }

    private static func nullValues(_ names: [String]) -> Outcome {
        Outcome(
            .invalidRequest, "Null value not supported for : \(names.joined(separator: ","))")
    }

    private typealias LoggerChange = (module: String, level: LogLevel?)

    private func changeLoggers(
        _ resource: IncrementalAlterConfigsRequest.Resource, validateOnly: Bool
    ) -> Outcome {
        guard let id = Int32(resource.resourceName) else {
            return Outcome(
                .invalidRequest, "Node id must be an integer, but it is: \(resource.resourceName)")
        }
        guard id == nodeID.rawValue else {
            return Outcome(
                .invalidRequest,
                "Unexpected node id. Expected \(nodeID.rawValue), but received \(id)")
        }
        var changes: [LoggerChange] = []
        let known = Set(sink.levels().map(\.module))
        for config in resource.configs {
            if let refusal = read(config, known, into: &changes) { return refusal }
        }
        if !validateOnly {
            for (module, level) in changes { _ = sink.setLevel(level, for: module) }
        }
        return .done
    }

    /// Reads the change of one logger; returns why it cannot be made.
    private func read(
        _ config: IncrementalAlterConfigsRequest.Resource.Config, _ known: Set<String>,
        into changes: inout [LoggerChange]
    ) -> Outcome? {
        guard let operation = Operation(rawValue: config.configOperation) else {
            return Outcome(
                .invalidRequest, "Unknown operation type \(config.configOperation) is not allowed")
        }
        if operation == .append || operation == .subtract {
            return Outcome(
                .invalidRequest,
                "\(operation.name) operation is not allowed for the BROKER_LOGGER resource")
        }
        guard known.contains(config.name) else {
            return Outcome(.invalidConfig, "Logger \(config.name) does not exist!")
        }
        if operation == .delete {
            if config.name == LogSink.root {
                return Outcome(
                    .invalidRequest, "Removing the log level of the root logger is not allowed")
            }
            changes.append((config.name, nil))
            return nil
        }
        let text = config.value ?? ""
        guard let level = LogLevel(text) else {
            let names = LogLevel.allCases.map { "\($0.name)".uppercased() }.sorted()
            return Outcome(
                .invalidConfig,
                "Cannot set the log level of \(config.name) to \(text) as it is not a supported "
                    + "log level. Valid log levels are \(names.joined(separator: ", "))")
        }
        changes.append((config.name, level))
        return nil
    }
}
