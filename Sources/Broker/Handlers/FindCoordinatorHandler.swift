internal import MillraceBase
internal import MillraceProtocol

extension Handler {
    /// FindCoordinator: of groups, transactional ids, and share partitions.
    static let findCoordinator = Handler.answering(.findCoordinator, 0...6) {
        (shard, context, request: FindCoordinatorRequest) -> FindCoordinatorResponse in
        shard.findCoordinators(request, context)
    }
}

extension Shard {
    fileprivate func findCoordinators(
        _ request: FindCoordinatorRequest, _ context: RequestContext
    ) -> FindCoordinatorResponse {
        var response = FindCoordinatorResponse()
        if context.version >= 4 {
            response.coordinators = request.coordinatorKeys.map {
                find($0, request.keyType, context)
            }
            return response
        }
        let found = find(request.key, request.keyType, context)
        response.errorCode = found.errorCode
        response.errorMessage = found.errorCode == 0 ? "NONE" : found.errorMessage
        (response.nodeId, response.host, response.port) = (found.nodeId, found.host, found.port)
        return response
    }

    private func find(
        _ key: String, _ keyType: Int8, _ context: RequestContext
    ) -> FindCoordinatorResponse.Coordinator {
        var found = FindCoordinatorResponse.Coordinator()
        (found.key, found.nodeId, found.port, found.errorMessage) = (key, -1, -1, "")
        switch leader(for: key, keyType) {
        case .failure(let code): found.errorCode = code.rawValue
        case .success(let node):
            let brokers = view?.seen(through: context.connection.listener).brokers() ?? []
            guard let broker = brokers.first(where: { $0.id == node && !$0.isFenced }) else {
                found.errorCode = ErrorCode.coordinatorNotAvailable.rawValue
                break
            }
            (found.nodeId, found.host, found.port) = (node.rawValue, broker.host, broker.port)
        }
        if found.errorCode == ErrorCode.invalidRequest.rawValue {
            found.errorMessage =
                "The key does not name a coordinator of a kind that exists, or is malformed"
        } else if found.errorCode != 0 {
            found.errorMessage = "The coordinator is not available."
        }
        return found
    }

    /// The node that leads the partition of a key's internal topic, which is made at the first
    /// question.
    private func leader(for key: String, _ keyType: Int8) -> Result<NodeID, ErrorCode> {
        let topic: String
        switch keyType {
        case 0: topic = InternalTopic.consumerOffsets
        case 1:
            // This version coordinates no transactions; the one node would.
            return .success(identity.settings.nodeID)
        case 2:
            // `group:topic id:partition`; this version coordinates no share groups.
            let parts = key.split(separator: ":", omittingEmptySubsequences: false)
            let isWellFormed =
                parts.count >= 3 && Int32(parts[parts.count - 1]) != nil
                && Uuid(parts[parts.count - 2]) != nil
            return .failure(isWellFormed ? .coordinatorNotAvailable : .invalidRequest)
        default: return .failure(.invalidRequest)
        }
        guard let index = topics.index(name: topic), let entry = topics[index] else {
            control(.createTopics(names: [topic]))
            return .failure(.coordinatorNotAvailable)
        }
        let partition = Hashes.coordinatorPartition(key, count: Int32(entry.partitions.count))
        guard let leader = topics.partition(index, partition)?.leader, leader != .none else {
            return .failure(.coordinatorNotAvailable)
        }
        return .success(leader)
    }
}
