package import MillraceBase
package import MillraceClientCore
package import MillraceProtocol

/// Whose settings are meant.
package enum ConfigResource: Hashable, Sendable {
    case topic(String)
    /// One broker's own, which it is asked for itself, or those of all brokers.
    case broker(NodeID?)
    case group(String)

    fileprivate var type: Int8 {
        switch self {
        case .topic: 2
        case .broker: 4
        case .group: 32
        }
    }

    /// As the protocol names it.
    fileprivate var name: String {
        switch self {
        case .topic(let name), .group(let name): name
        case .broker(let node): node.map { "\($0.rawValue)" } ?? ""
        }
    }

    fileprivate var target: RequestTarget {
        guard case .broker(let node?) = self else { return .any }
        return .node(node)
    }
}

/// Settings.
extension Admin {
    /// All settings, defaults too.
    package func describeConfigs(
        of resource: ConfigResource
    ) async throws(ClientError) -> [DescribeConfigsResponse.Result.Config] {
        var entry = DescribeConfigsRequest.Resource()
        entry.resourceType = resource.type
        entry.resourceName = resource.name
        entry.configurationKeys = nil
        var request = DescribeConfigsRequest()
        request.resources = [entry]
        let answer = try await ask(
            request, .describeConfigs, as: DescribeConfigsResponse.self, of: resource.target)
        guard let result = answer.results.first else {
            throw .malformed("an answer without the resource")
        }
        try Self.check(result.errorCode, result.errorMessage)
        return result.configs
    }

    /// Sets settings of one resource; nil puts one back to its default.
    package func alterConfigs(
        of resource: ConfigResource, _ changes: [(key: String, value: String?)],
        validateOnly: Bool = false
    ) async throws(ClientError) {
        var entry = IncrementalAlterConfigsRequest.Resource()
        entry.resourceType = resource.type
        entry.resourceName = resource.name
        entry.configs = changes.map { change in
            var config = IncrementalAlterConfigsRequest.Resource.Config()
            config.name = change.key
            config.value = change.value
            // 0: set, 1: delete.
            config.configOperation = change.value == nil ? 1 : 0
            return config
        }
        var request = IncrementalAlterConfigsRequest()
        request.resources = [entry]
        request.validateOnly = validateOnly
        let answer = try await ask(
            request, .incrementalAlterConfigs, as: IncrementalAlterConfigsResponse.self,
            of: resource.target)
        for result in answer.responses { try Self.check(result.errorCode, result.errorMessage) }
    }
}
