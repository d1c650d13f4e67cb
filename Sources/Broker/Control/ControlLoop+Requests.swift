internal import Metadata
internal import MillraceBase
internal import MillraceProtocol
internal import Raft

// What shards ask of the control loop.
extension ControlLoop {
    mutating func received(_ message: ControlMessage, at now: Moment) {
        switch message {
        case .request(let request, let token, _): answer(request, token, at: now)
        case .createTopics(let names): createMissing(names, at: now)
        case .allocateProducerIDs(let shard): allocateProducerIDs(for: shard, at: now)
        case .metadataApplied(let shard, let end): shardApplied(shard, through: end)
        // The directory holds the metadata log too: its next write says the rest.
        case .directoryFailed: break
        }
    }

    /// How many records one request may make, as in Kafka: they are one batch of the log.
    private static let recordsMax = 10_000
    /// How many missing topics are made at once; who asked for more asks again.
    private static let missingMax = 1_000

    private var canChange: Bool {
        failure == nil && raft.isLeader && waitingCount < Self.waitingMax
    }

    private mutating func answer(_ request: ControlRequest, _ token: ReplyToken, at now: Moment) {
        var failed = Reply(request.refused(with: .kafkaStorageError), to: token)
        failed.errorCode = ErrorCode.kafkaStorageError.rawValue
        guard canChange else {
            let code: ErrorCode = failure == nil ? .notController : .kafkaStorageError
            var reply = Reply(request.refused(with: code), to: token)
            reply.errorCode = code.rawValue
            return effects.append(.post(shard: token.shard, .reply(token, reply)))
        }
        let (decision, reply) = decide(request, token, at: now)
        guard decision.records.count <= Self.recordsMax else {
            var reply = Reply(request.refused(with: .policyViolation), to: token)
            reply.errorCode = ErrorCode.policyViolation.rawValue
            return effects.append(.post(shard: token.shard, .reply(token, reply)))
        }
        append(decision.records, then: .reply(token, reply, failure: failed), at: now)
    }

    private mutating func decide(
        _ request: ControlRequest, _ token: ReplyToken, at now: Moment
    ) -> (Decision, Reply) {
        switch request {
        case .createTopics(let request):
            let decision = decide(.createTopics(request), at: now)
            guard case .createTopics(let response) = decision.reply else { break }
            return (decision, Reply(response, to: token, codes: response.topics.map(\.errorCode)))
        case .deleteTopics(let request):
            let decision = decide(.deleteTopics(request, version: token.version), at: now)
            guard case .deleteTopics(let response) = decision.reply else { break }
            return (
                decision, Reply(response, to: token, codes: response.responses.map(\.errorCode))
            )
        case .createPartitions(let request):
            let decision = decide(.createPartitions(request), at: now)
            guard case .createPartitions(let response) = decision.reply else { break }
            return (decision, Reply(response, to: token, codes: response.results.map(\.errorCode)))
        case .alterConfigs(let request): return alter(request, token, at: now)
        case .incrementalAlterConfigs(let request): return alter(request, token, at: now)
        }
        preconditionFailure("the controller answers what it was asked")
    }

    private mutating func alter(
        _ request: AlterConfigsRequest, _ token: ReplyToken, at now: Moment
    ) -> (Decision, Reply) {
        let outcomes = preparation.outcomes(of: request)
        var rest = request
        rest.resources = zip(request.resources, outcomes).filter { $1 == nil }.map(\.0)
        let decision = decide(.alterConfigs(rest), at: now)
        guard case .alterConfigs(var response) = decision.reply else {
            preconditionFailure("the controller answers what it was asked")
        }
        for (resource, outcome) in zip(request.resources, outcomes) {
            guard let outcome else { continue }
            var result = AlterConfigsResponse.Response()
            (result.errorCode, result.errorMessage) = (outcome.code.rawValue, outcome.text)
            (result.resourceType, result.resourceName) =
                (resource.resourceType, resource.resourceName)
            response.responses.append(result)
        }
        return (decision, Reply(response, to: token, codes: response.responses.map(\.errorCode)))
    }

    private mutating func alter(
        _ request: IncrementalAlterConfigsRequest, _ token: ReplyToken, at now: Moment
    ) -> (Decision, Reply) {
        let outcomes = preparation.outcomes(of: request)
        var rest = request
        rest.resources = zip(request.resources, outcomes).filter { $1 == nil }.map(\.0)
        let decision = decide(.incrementalAlterConfigs(rest), at: now)
        guard case .incrementalAlterConfigs(var response) = decision.reply else {
            preconditionFailure("the controller answers what it was asked")
        }
        for (resource, outcome) in zip(request.resources, outcomes) {
            guard let outcome else { continue }
            var result = IncrementalAlterConfigsResponse.Response()
            (result.errorCode, result.errorMessage) = (outcome.code.rawValue, outcome.text)
            (result.resourceType, result.resourceName) =
                (resource.resourceType, resource.resourceName)
            response.responses.append(result)
        }
        return (decision, Reply(response, to: token, codes: response.responses.map(\.errorCode)))
    }

    private var preparation: ConfigChangePreparation {
        let nodeID = identity.settings.nodeID
        let view = MetadataView(
            image: staged, clusterID: identity.clusterID, nodeID: nodeID,
            fixed: identity.settings.config)
        let certificates = CertificateCheck(
            view: view.config, listeners: identity.settings.listeners, problem: problemOfTLS)
        return ConfigChangePreparation(nodeID: nodeID, sink: sink, certificates: certificates)
    }

    private mutating func createMissing(_ names: [String], at now: Moment) {
        let missing = Array(names.filter { staged.topicIDs[$0] == nil }.prefix(Self.missingMax))
        guard canChange, !missing.isEmpty else { return }
        let decision = decide(.createMissingTopics(missing), at: now)
        append(decision.records, then: .nothing, at: now)
    }

    private mutating func allocateProducerIDs(for shard: Int, at now: Moment) {
        guard canChange else {
            return effects.append(.post(shard: shard, .producerIDs(0..<0)))
        }
        var request = AllocateProducerIdsRequest()
        request.brokerId = identity.settings.nodeID.rawValue
        request.brokerEpoch = brokerEpoch
        let decision = decide(.allocateProducerIDs(request), at: now)
        guard case .allocateProducerIDs(let response) = decision.reply, response.errorCode == 0
        else { return effects.append(.post(shard: shard, .producerIDs(0..<0))) }
        let start = response.producerIdStart
        let block = start..<(start + Int64(response.producerIdLen))
        append(decision.records, then: .producerIDs(shard: shard, block), at: now)
    }

    // MARK: This node as a broker

    func registration() -> BrokerRegistrationRequest {
        var request = BrokerRegistrationRequest()
        request.brokerId = identity.settings.nodeID.rawValue
        request.clusterId = identity.clusterID
        request.incarnationId = identity.incarnation
        request.rack = identity.settings.rack
        request.logDirs = identity.directoryIDs
        request.listeners = identity.listeners.map { listener in
            var shown = BrokerRegistrationRequest.Listener()
            (shown.name, shown.host, shown.port) = (listener.name, listener.host, listener.port)
            shown.securityProtocol = listener.securityProtocol.code
            return shown
        }
        request.features = Bootstrap.supportedFeatures.map { feature in
            var shown = BrokerRegistrationRequest.Feature()
            shown.name = feature.name
            shown.minSupportedVersion = feature.levels.lowerBound
            shown.maxSupportedVersion = feature.levels.upperBound
            return shown
        }
        return request
    }

    func heartbeat(_ epoch: Int64) -> BrokerHeartbeatRequest {
        var request = BrokerHeartbeatRequest()
        request.brokerId = identity.settings.nodeID.rawValue
        request.brokerEpoch = epoch
        request.currentMetadataOffset = published.end.rawValue
        request.wantFence = false
        return request
    }
}

extension Reply {
    /// An answer with the error codes that are in it.
    fileprivate init(_ body: some Message, to token: ReplyToken, codes: [Int16]) {
        self.init(body, to: token)
        errorCode = codes.first { $0 != 0 } ?? 0
    }
}

extension ControlRequest {
    /// The answer that refuses all of a request with one code.
    func refused(with code: ErrorCode) -> any Message {
        switch self {
        case .createTopics(let request):
            var response = CreateTopicsResponse()
            response.topics = request.topics.map { asked in
                var topic = CreateTopicsResponse.Topic()
                (topic.name, topic.errorCode) = (asked.name, code.rawValue)
                return topic
            }
            return response
        case .deleteTopics(let request):
            var response = DeleteTopicsResponse()
            response.responses =
                request.topics.map { asked in
                    var topic = DeleteTopicsResponse.Response()
                    (topic.name, topic.topicId) = (asked.name, asked.topicId)
                    topic.errorCode = code.rawValue
                    return topic
                }
                + request.topicNames.map { name in
                    var topic = DeleteTopicsResponse.Response()
                    (topic.name, topic.errorCode) = (name, code.rawValue)
                    return topic
                }
            return response
        case .createPartitions(let request):
            var response = CreatePartitionsResponse()
            response.results = request.topics.map { asked in
                var topic = CreatePartitionsResponse.Result()
                (topic.name, topic.errorCode) = (asked.name, code.rawValue)
                return topic
            }
            return response
        case .alterConfigs(let request):
            var response = AlterConfigsResponse()
            response.responses = request.resources.map { asked in
                var result = AlterConfigsResponse.Response()
                (result.resourceType, result.resourceName) =
                    (asked.resourceType, asked.resourceName)
                result.errorCode = code.rawValue
                return result
            }
            return response
        case .incrementalAlterConfigs(let request):
            var response = IncrementalAlterConfigsResponse()
            response.responses = request.resources.map { asked in
                var result = IncrementalAlterConfigsResponse.Response()
                (result.resourceType, result.resourceName) =
                    (asked.resourceType, asked.resourceName)
                result.errorCode = code.rawValue
                return result
            }
            return response
        }
    }
}
