import Metadata
import MillraceBase
import MillraceProtocol

/// A controller with its image: what it decides is replayed at once.
struct Cluster {
    var controller: Controller
    var image = ClusterImage()
    var delta = ClusterDelta()
    var random = SeededGenerator(seed: 1)
    /// Offsets that no record of the image has: a leader's control batches.
    var skipped: Int64 = 1

    static let id = "golden-cluster-3nodes0"

    /// A new cluster whose brokers have registered and are unfenced.
    init(brokers: Int = 1, partitions: Int32 = 2, replicationFactor: Int16 = 1) throws {
        var settings = ControllerSettings(clusterID: Self.id)
        settings.partitions = partitions
        settings.replicationFactor = replicationFactor
        controller = Controller(settings: settings, rules: StubRules())
        try replay(
            controller.activationRecords(bootstrap: Bootstrap.records(), image: image))
        for id in 1...Int32(brokers) {
            _ = try register(id)
            try heartbeat(id)
        }
    }

    var nextOffset: Offset { image.end + skipped }

    mutating func replay(_ records: [MetadataRecord]) throws {
        // By their bytes: what cannot be written and read was not decided.
        for record in records {
            let read = try MetadataRecord(record.bytes())
            try image.apply(read, at: nextOffset, into: &delta)
            skipped = 0
        }
    }

    func decide(_ request: ControlRequest, _ random: inout SeededGenerator) -> Decision {
        let now = Moment(instant: .zero, timestamp: Timestamp(0))
        let context = DecisionContext(image: image, nextOffset: nextOffset, now: now)
        return controller.decide(request, in: context, using: &random)
    }

    /// Decides and replays.
    @discardableResult
    mutating func ask(_ request: ControlRequest) throws -> ControlReply {
        let decision = decide(request, &random)
        try replay(decision.records)
        return decision.reply
    }

    /// Registers a broker's new incarnation; its epoch.
    mutating func register(_ id: Int32, rack: String? = nil) throws -> Int64 {
        var request = BrokerRegistrationRequest()
        (request.brokerId, request.clusterId) = (id, Self.id)
        request.incarnationId = Uuid.random(using: &random)
        request.rack = rack
        request.logDirs = [Uuid(high: UInt64(id), low: 9)]
        guard case .registerBroker(let response) = try ask(.registerBroker(request)) else {
            return -1
        }
        return response.brokerEpoch
    }

    @discardableResult
    mutating func heartbeat(
        _ id: Int32, _ body: (inout BrokerHeartbeatRequest) -> Void = { _ in }
    ) throws -> BrokerHeartbeatResponse {
        var request = BrokerHeartbeatRequest()
        request.brokerId = id
        request.brokerEpoch = image.brokers[NodeID(id)]?.epoch ?? -1
        request.currentMetadataOffset = image.end.rawValue
        body(&request)
        guard case .heartbeat(let response) = try ask(.heartbeat(request)) else {
            return BrokerHeartbeatResponse()
        }
        return response
    }

    mutating func create(_ name: String, partitions: Int32 = 1, replicas: Int16 = 1) throws {
        var topic = CreateTopicsRequest.Topic()
        (topic.name, topic.numPartitions, topic.replicationFactor) = (name, partitions, replicas)
        var request = CreateTopicsRequest()
        request.topics = [topic]
        try ask(.createTopics(request))
    }
}
