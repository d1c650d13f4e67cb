package import MillraceBase
package import MillraceProtocol

/// What the controller is told by the node's settings.
package struct ControllerSettings: Sendable {
    /// How a topic of Kafka's own is made.
    package struct InternalTopic: Sendable {
        package var partitions: Int32
        package var replicationFactor: Int16
        package var configs: [(name: String, value: String)]

        package init(
            partitions: Int32, replicationFactor: Int16, configs: [(name: String, value: String)]
        ) {
            (self.partitions, self.replicationFactor) = (partitions, replicationFactor)
            self.configs = configs
        }
    }

    package var clusterID: String
    /// `num.partitions`.
    package var partitions: Int32 = 1
    /// `default.replication.factor`.
    package var replicationFactor: Int16 = 1
    /// `min.insync.replicas`, where neither topic nor cluster says.
    package var minInSync = 1
    /// `delete.topic.enable`.
    package var deletesTopics = true
    /// By name: `__consumer_offsets`, `__transaction_state`.
    package var internalTopics: [String: InternalTopic] = [:]

    package init(clusterID: String) { self.clusterID = clusterID }
}

/// What the control loop knows at the moment of a decision.
package struct DecisionContext: Sendable {
    /// The staged image: all that was decided before, committed or not.
    package var image: ClusterImage
    /// The offset that the first record of this decision will get.
    package var nextOffset: Offset
    package var now: Moment

    package init(image: ClusterImage, nextOffset: Offset, now: Moment) {
        (self.image, self.nextOffset, self.now) = (image, nextOffset, now)
    }
}

/// Something that the controller decides.
package enum ControlRequest: Equatable, Sendable {
    case createTopics(CreateTopicsRequest)
    /// Topics that a client asked for and that are missing, made as the settings say.
    case createMissingTopics([String])
    case deleteTopics(DeleteTopicsRequest, version: Int16)
    case createPartitions(CreatePartitionsRequest)
    /// Form, nulls, repetitions and loggers were seen to by the broker.
    case alterConfigs(AlterConfigsRequest)
    case incrementalAlterConfigs(IncrementalAlterConfigsRequest)
    case allocateProducerIDs(AllocateProducerIdsRequest)
    case registerBroker(BrokerRegistrationRequest)
    case heartbeat(BrokerHeartbeatRequest)
    case registerController(RegisterControllerRecord)
}

/// The answer, sent once the records are committed.
package enum ControlReply: Equatable, Sendable {
    case createTopics(CreateTopicsResponse)
    case deleteTopics(DeleteTopicsResponse)
    case createPartitions(CreatePartitionsResponse)
    case alterConfigs(AlterConfigsResponse)
    case incrementalAlterConfigs(IncrementalAlterConfigsResponse)
    case allocateProducerIDs(AllocateProducerIdsResponse)
    case registerBroker(BrokerRegistrationResponse)
    case heartbeat(BrokerHeartbeatResponse)
    case none
}

/// Records to append as one batch, and what to answer when they are committed. Without records the
/// answer may leave when all that was decided before is committed.
package struct Decision: Equatable, Sendable {
    package var records: [MetadataRecord]
    package var reply: ControlReply

    package init(records: [MetadataRecord] = [], reply: ControlReply) {
        (self.records, self.reply) = (records, reply)
    }
}

/// A request, or a part of one, that is not granted: Kafka's code and text.
struct Refusal: Error, Equatable {
    var code: ErrorCode
    var text: String?

    init(_ code: ErrorCode, _ text: String?) { (self.code, self.text) = (code, text) }
}

/// Decides changes of the cluster: it reads the staged image and says which records would make the
/// change. It changes nothing itself: what it decided counts once it is replayed.
package struct Controller: Sendable {
    package var settings: ControllerSettings
    package var rules: any ConfigJudging

    package init(settings: ControllerSettings, rules: any ConfigJudging) {
        (self.settings, self.rules) = (settings, rules)
    }

    /// - Parameter random: gives topic ids and where placement begins.
    package func decide(
        _ request: ControlRequest, in context: DecisionContext,
        using random: inout some RandomNumberGenerator
    ) -> Decision {
        precondition(!context.image.isInTransaction, "nothing is decided within a transaction")
        switch request {
        case .createTopics(let request):
            return createTopics(request, context, &random)
        case .createMissingTopics(let names):
            return createTopics(missing(names), context, &random)
        case .deleteTopics(let request, let version):
            return deleteTopics(request, version, context)
        case .createPartitions(let request):
            return createPartitions(request, context, &random)
        case .alterConfigs(let request): return alterConfigs(request, context)
        case .incrementalAlterConfigs(let request):
            return incrementalAlterConfigs(request, context)
        case .allocateProducerIDs(let request): return allocateProducerIDs(request, context)
        case .registerBroker(let request): return registerBroker(request, context)
        case .heartbeat(let request): return heartbeat(request, context)
        case .registerController(let record): return registerController(record, context)
        }
    }

    private func registerController(
        _ record: RegisterControllerRecord, _ context: DecisionContext
    ) -> Decision {
        let known = context.image.controllers[NodeID(record.controllerId)]
        return Decision(records: known == record ? [] : [.registerController(record)], reply: .none)
    }

    /// Gives a broker the next thousand producer ids.
    private func allocateProducerIDs(
        _ request: AllocateProducerIdsRequest, _ context: DecisionContext
    ) -> Decision {
        var response = AllocateProducerIdsResponse()
        guard let broker = context.image.brokers[NodeID(request.brokerId)],
            broker.epoch == request.brokerEpoch
        else {
            response.errorCode = ErrorCode.staleBrokerEpoch.rawValue
            return Decision(reply: .allocateProducerIDs(response))
        }
        let start = context.image.nextProducerID
        let (next, overflow) = start.addingReportingOverflow(Int64(Self.producerIDBlock))
        guard !overflow else {
            response.errorCode = ErrorCode.unknownServerError.rawValue
            return Decision(reply: .allocateProducerIDs(response))
        }
        response.producerIdStart = start
        response.producerIdLen = Self.producerIDBlock
        var record = ProducerIdsRecord()
        (record.brokerId, record.brokerEpoch) = (request.brokerId, request.brokerEpoch)
        record.nextProducerId = next
        return Decision(
            records: [.producerIDs(record)], reply: .allocateProducerIDs(response))
    }

    /// How many producer ids a broker gets at a time, as with Kafka.
    static let producerIDBlock: Int32 = 1000
}
