internal import MillraceBase
internal import MillraceProtocol

// AlterConfigs and IncrementalAlterConfigs. Each resource stands for itself: one that is refused
// does not hold up the others.
extension Controller {
    static let minInSync = "min.insync.replicas"

    static func clearElr(_ topic: String) -> MetadataRecord {
        var record = ClearElrRecord()
        record.topicName = topic
        return .clearElr(record)
    }

    func alterConfigs(
        _ request: AlterConfigsRequest, _ context: DecisionContext
    ) -> Decision {
        var response = AlterConfigsResponse()
        var records: [MetadataRecord] = []
        for asked in request.resources {
            var answer = AlterConfigsResponse.Response()
            answer.resourceType = asked.resourceType
            (answer.resourceName, answer.errorMessage) = (asked.resourceName, nil)
            do throws(Refusal) {
                var values: [String: String] = [:]
                for config in asked.configs {
                    values[config.name] = try Self.present(config.value, config.name)
                }
                let resource = ConfigResource(type: asked.resourceType, name: asked.resourceName)
                records += try change(resource, to: values, context)
            } catch {
                (answer.errorCode, answer.errorMessage) = (error.code.rawValue, error.text)
            }
            response.responses.append(answer)
        }
        return Decision(
            records: request.validateOnly ? [] : records, reply: .alterConfigs(response))
    }

    func incrementalAlterConfigs(
        _ request: IncrementalAlterConfigsRequest, _ context: DecisionContext
    ) -> Decision {
        var response = IncrementalAlterConfigsResponse()
        var records: [MetadataRecord] = []
        for asked in request.resources {
            var answer = IncrementalAlterConfigsResponse.Response()
            answer.resourceType = asked.resourceType
            (answer.resourceName, answer.errorMessage) = (asked.resourceName, nil)
            do throws(Refusal) {
                let resource = ConfigResource(type: asked.resourceType, name: asked.resourceName)
                let kind = try check(resource, context)
                var values = context.image.configs(of: resource)
                for config in asked.configs {
                    try apply(config, kind, resource, &values)
                }
                records += try change(resource, to: values, context)
            } catch {
                (answer.errorCode, answer.errorMessage) = (error.code.rawValue, error.text)
            }
            response.responses.append(answer)
        }
        return Decision(
            records: request.validateOnly ? [] : records,
            reply: .incrementalAlterConfigs(response))
    }

    private static func present(_ value: String?, _ name: String) throws(Refusal) -> String {
        guard let value else {
            throw Refusal(.invalidRequest, "Null value not supported for : \(name)")
        }
        return value
    }

    /// Whether there may be such a resource; what kind it is.
    private func check(
        _ resource: ConfigResource, _ context: DecisionContext
    ) throws(Refusal) -> ConfigResource.Kind {
        guard let kind = resource.kind else {
            throw Refusal(.invalidRequest, "Unknown resource type \(resource.type)")
        }
        switch kind {
        case .topic: try checkTopic(resource.name, context)
        case .broker: try checkBroker(resource.name, context)
        case .group where resource.name.isEmpty:
            throw Refusal(.invalidRequest, "Default group resources are not allowed.")
        case .clientMetrics where resource.name.isEmpty:
            throw Refusal(.invalidRequest, "Subscription name can't be empty")
        case .brokerLogger:
            throw Refusal(.invalidRequest, "The controller keeps no log levels of brokers.")
        case .group, .clientMetrics: break
        }
        return kind
    }

    private func checkTopic(_ name: String, _ context: DecisionContext) throws(Refusal) {
        guard !name.isEmpty else {
            throw Refusal(.invalidRequest, "Default topic resources are not allowed.")
        }
        if let refusal = TopicName.refusal(of: name) {
            throw Refusal(.invalidTopicException, refusal)
        }
        guard context.image.topicIDs.contains(name) else {
            throw Refusal(.unknownTopicOrPartition, "The topic '\(name)' does not exist.")
        }
    }

    /// An empty name stands for all brokers.
    private func checkBroker(_ name: String, _ context: DecisionContext) throws(Refusal) {
        guard !name.isEmpty else { return }
        guard let id = Int32(name) else {
            throw Refusal(
                .invalidRequest, "Unable to parse broker name as a base 10 number.")
        }
        guard id >= 0 else { throw Refusal(.invalidRequest, "Invalid negative broker ID.") }
        guard context.image.brokers.contains(NodeID(id)) else {
            throw Refusal(.brokerIdNotRegistered, "No broker with id \(id) found.")
        }
    }

    private func apply(
        _ change: IncrementalAlterConfigsRequest.Resource.Config, _ kind: ConfigResource.Kind,
        _ resource: ConfigResource, _ values: inout [String: String]
    ) throws(Refusal) {
        let name = change.name
        switch change.configOperation {
        case 0: values[name] = try Self.present(change.value, name)
        case 1: values[name] = nil
        case 2, 3:
            let isAppend = change.configOperation == 2
            guard rules.isList(name, of: kind) else {
                throw Refusal(
                    .invalidConfig,
                    "Can't \(isAppend ? "APPEND" : "SUBTRACT") to key \(name) because its type "
                        + "is not LIST.")
            }
            let asked = Self.elements(try Self.present(change.value, name))
            var list = Self.elements(values[name] ?? rules.defaultList(name, of: kind))
            for element in asked {
                if isAppend, !list.contains(element) { list.append(element) }
                if !isAppend { list.removeAll { $0 == element } }
            }
            values[name] = list.joined(separator: ",")
        default:
            throw Refusal(
                .invalidRequest, "Unknown operation type \(change.configOperation)")
        }
    }

    private static func elements(_ list: String) -> [String] {
        list.split(separator: ",").map { element in
            let start = element.drop { $0 == " " }
            return String(start.reversed().drop { $0 == " " }.reversed())
        }
    }

    /// The records that give a resource these settings and no others, if they are good.
    private func change(
        _ resource: ConfigResource, to values: [String: String], _ context: DecisionContext
    ) throws(Refusal) -> [MetadataRecord] {
        let kind = try check(resource, context)
        let refusal =
            switch kind {
            case .topic: rules.refusal(ofTopic: values.mapValues { .some($0) })
            case .broker: rules.refusal(ofBroker: values, forAll: resource.name.isEmpty)
            case .group: rules.refusal(ofGroup: values)
            case .clientMetrics: rules.refusal(ofClientMetrics: values)
            case .brokerLogger: String?.none
            }
        if let refusal { throw Refusal(.invalidConfig, refusal) }
        // What is appended to a list, a bit at a time, must still fit a record's text.
        guard values.values.allSatisfy({ $0.utf8.count <= Int(Int16.max) }) else {
            throw Refusal(
                .invalidConfig,
                "The configuration value cannot be added because it exceeds the maximum value "
                    + "size of \(Int16.max) bytes.")
        }
        var values = values
        let former = context.image.configs(of: resource)
        if kind == .broker { try keepMinInSync(resource, former, &values, context) }
        var records: [MetadataRecord] = []
        for name in Set(former.keys).union(values.keys).sorted() where former[name] != values[name]
        {
            records.append(.config(ClusterImage.config(resource, name, values[name])))
        }
        // Who may lead depends on how many are to be in sync: it is found out anew (KIP-966).
        if former[Self.minInSync] != values[Self.minInSync] {
            if kind == .topic { records.append(Self.clearElr(resource.name)) }
            if kind == .broker { records.append(Self.clearElr("")) }
        }
        return records
    }

    /// With eligible leader replicas the cluster has one smallest ISR, and it stays set (KIP-966).
    private func keepMinInSync(
        _ resource: ConfigResource, _ former: [String: String], _ values: inout [String: String],
        _ context: DecisionContext
    ) throws(Refusal) {
        guard context.image.featureLevel("eligible.leader.replicas.version") > 0 else { return }
        if !resource.name.isEmpty, values[Self.minInSync] != former[Self.minInSync] {
            throw Refusal(
                .invalidConfig,
                "Broker-level min.insync.replicas cannot be altered while ELR is enabled.")
        }
        if resource.name.isEmpty, values[Self.minInSync] == nil {
            if let value = former[Self.minInSync] { values[Self.minInSync] = value }
        }
    }
}
