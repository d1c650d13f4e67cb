package import MillraceBase
package import MillraceProtocol
internal import Metadata

/// A broker as clients of one listener see it.
package struct SeenBroker: Sendable, Equatable {
    package var id: NodeID
    package var host: String
    package var port: Int32
    package var rack: String?
    package var isFenced: Bool

    package init(id: NodeID, host: String, port: Int32, rack: String?, isFenced: Bool) {
        (self.id, self.host, self.port) = (id, host, port)
        (self.rack, self.isFenced) = (rack, isFenced)
    }
}

/// A partition as clients see it.
package struct SeenPartition: Sendable, Equatable {
    package var index: Int32
    package var leader: NodeID
    package var leaderEpoch: LeaderEpoch
    package var replicas: [NodeID]
    package var isr: [NodeID]
    package var eligibleLeaders: [NodeID]
    package var lastKnownEligibleLeaders: [NodeID]

    package init(
        index: Int32, leader: NodeID, leaderEpoch: LeaderEpoch, replicas: [NodeID], isr: [NodeID],
        eligibleLeaders: [NodeID] = [], lastKnownEligibleLeaders: [NodeID] = []
    ) {
        (self.index, self.leader, self.leaderEpoch) = (index, leader, leaderEpoch)
        (self.replicas, self.isr, self.eligibleLeaders) = (replicas, isr, eligibleLeaders)
        self.lastKnownEligibleLeaders = lastKnownEligibleLeaders
    }
}

/// A topic as clients see it; its partitions in order of index, from 0 without a gap.
package struct SeenTopic: Sendable, Equatable {
    package var name: String
    package var id: TopicID
    package var partitions: [SeenPartition]

    package init(name: String, id: TopicID, partitions: [SeenPartition]) {
        (self.name, self.id, self.partitions) = (name, id, partitions)
    }
}

/// What the answers about the cluster read: the published image, seen through one listener.
package protocol ClusterSeen {
    var clusterID: String { get }
    var controllerID: NodeID { get }
    /// All brokers that have the listener, fenced ones too, in order of id.
    func brokers() -> [SeenBroker]
    func topic(named name: String) -> SeenTopic?
    func topicName(of id: TopicID) -> String?
    /// All names, sorted.
    func topicNames() -> [String]
}

/// Bits of the operations that everybody may do while there is no authorizer.
enum AuthorizedOperations {
    static let topic: Int32 = 3576
    static let cluster: Int32 = 8096
    /// Not asked for.
    static let unknown = Int32.min
}

/// Answers Metadata: the cluster and its topics, by name or by id.
package struct MetadataAnswer {
    package var response = MetadataResponse()
    /// Topics that are to be created: they do not exist, and both client and node allow it.
    package var created: [String] = []

    /// - Parameter createsTopics: `auto.create.topics.enable`.
    package init(
        _ request: MetadataRequest, version: Int16, cluster: some ClusterSeen, createsTopics: Bool
    ) {
        if let refusal = Self.refusal(of: request, version) {
            refuse(request, refusal)
            return
        }
        let brokers = cluster.brokers().filter { !$0.isFenced }
        let alive = Set(brokers.map(\.id))
        response.brokers = brokers.map(Self.broker)
        response.clusterId = cluster.clusterID
        response.controllerId = cluster.controllerID.rawValue
        if request.includeClusterAuthorizedOperations, (8...10).contains(version) {
            response.clusterAuthorizedOperations = AuthorizedOperations.cluster
        }
        let operations =
            request.includeTopicAuthorizedOperations
            ? AuthorizedOperations.topic : AuthorizedOperations.unknown
        for name in names(request, version, cluster, operations) {
            if let topic = cluster.topic(named: name) {
                response.topics.append(Self.topic(topic, alive, operations))
            } else {
                let mayCreate = createsTopics && request.allowAutoTopicCreation
                appendMissing(name, mayCreate: mayCreate, operations)
            }
        }
    }

    /// Lookups by id are served from version 12, and a topic has a name or an id.
    private static func refusal(of request: MetadataRequest, _ version: Int16) -> ErrorCode? {
        guard version >= 10, let topics = request.topics else { return nil }
        let isRefused = topics.contains { topic in
            version < 12
                ? topic.name == nil || topic.topicId != .zero
                : topic.name == nil && topic.topicId == .zero
        }
        return isRefused ? .invalidRequest : nil
    }

    private mutating func refuse(_ request: MetadataRequest, _ code: ErrorCode) {
        response.topics = (request.topics ?? []).map { asked in
            var topic = MetadataResponse.Topic()
            topic.errorCode = code.rawValue
            topic.name = asked.name ?? ""
            topic.topicId = asked.topicId
            return topic
        }
    }

    /// The names asked for, each once; what is asked for by an id that is unknown is answered here.
    private mutating func names(
        _ request: MetadataRequest, _ version: Int16, _ cluster: some ClusterSeen,
        _ operations: Int32
    ) -> [String] {
        guard let topics = request.topics, !(topics.isEmpty && version == 0) else {
            return cluster.topicNames()
        }
        let ids = topics.map(\.topicId).filter { $0 != .zero }
        var seen: Set<String> = []
        if ids.isEmpty {
            return topics.compactMap(\.name).filter { seen.insert($0).inserted }
        }
        var names: [String] = []
        for id in ids {
            if let name = cluster.topicName(of: TopicID(id)) {
                if seen.insert(name).inserted { names.append(name) }
                continue
            }
            var topic = MetadataResponse.Topic()
            topic.errorCode = ErrorCode.unknownTopicId.rawValue
            topic.name = nil
            topic.topicId = id
            response.topics.append(topic)
        }
        return names
    }

    private mutating func appendMissing(_ name: String, mayCreate: Bool, _ operations: Int32) {
        var topic = MetadataResponse.Topic()
        topic.name = name
        topic.isInternal = TopicName.isInternal(name)
        topic.topicAuthorizedOperations = operations
        if TopicName.refusal(of: name) != nil {
            topic.errorCode = ErrorCode.invalidTopicException.rawValue
        } else {
            topic.errorCode = ErrorCode.unknownTopicOrPartition.rawValue
            if mayCreate { created.append(name) }
        }
        response.topics.append(topic)
    }

    private static func broker(_ broker: SeenBroker) -> MetadataResponse.Broker {
        var shown = MetadataResponse.Broker()
        shown.nodeId = broker.id.rawValue
        shown.host = broker.host
        shown.port = broker.port
        shown.rack = broker.rack
        return shown
    }

    private static func topic(
        _ topic: SeenTopic, _ alive: Set<NodeID>, _ operations: Int32
    ) -> MetadataResponse.Topic {
        var shown = MetadataResponse.Topic()
        shown.name = topic.name
        shown.topicId = topic.id.uuid
        shown.isInternal = TopicName.isInternal(topic.name)
        shown.topicAuthorizedOperations = operations
        shown.partitions = topic.partitions.map { partition in
            var part = MetadataResponse.Topic.Partition()
            let isLed = alive.contains(partition.leader)
            part.errorCode = isLed ? 0 : ErrorCode.leaderNotAvailable.rawValue
            part.partitionIndex = partition.index
            part.leaderId = isLed ? partition.leader.rawValue : NodeID.none.rawValue
            part.leaderEpoch = partition.leaderEpoch.rawValue
            part.replicaNodes = partition.replicas.map(\.rawValue)
            part.isrNodes = partition.isr.map(\.rawValue)
            part.offlineReplicas = partition.replicas.filter { !alive.contains($0) }.map(\.rawValue)
            return part
        }
        return shown
    }
}

/// Answers DescribeCluster.
package enum ClusterAnswer {
    package static func response(
        to request: DescribeClusterRequest, cluster: some ClusterSeen
    ) -> DescribeClusterResponse {
        var response = DescribeClusterResponse()
        switch request.endpointType {
        case 1: break
        case 2:
            response.errorCode = ErrorCode.mismatchedEndpointType.rawValue
            response.errorMessage =
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of "
                + "type CONTROLLER"
            return response
        default:
            response.errorCode = ErrorCode.unsupportedEndpointType.rawValue
            response.errorMessage = "Unsupported endpoint type \(request.endpointType)"
            return response
        }
        response.clusterId = cluster.clusterID
        response.controllerId = cluster.controllerID.rawValue
        if request.includeClusterAuthorizedOperations {
            response.clusterAuthorizedOperations = AuthorizedOperations.cluster
        }
        for broker in cluster.brokers() where !broker.isFenced || request.includeFencedBrokers {
            var shown = DescribeClusterResponse.Broker()
            shown.brokerId = broker.id.rawValue
            shown.host = broker.host
            shown.port = broker.port
            shown.rack = broker.rack
            shown.isFenced = broker.isFenced
            response.brokers.append(shown)
        }
        return response
    }
}

/// Answers DescribeTopicPartitions (KIP-966): topics in order of name, a page at a time.
package struct TopicPartitionsAnswer {
    package var response = DescribeTopicPartitionsResponse()

    /// - Parameter limit: `max.request.partition.size.limit`.
    package init(
        _ request: DescribeTopicPartitionsRequest, cluster: some ClusterSeen, limit: Int
    ) {
        let isForAll = request.topics.isEmpty
        if let cursor = request.cursor {
            let isAskedFor = isForAll || request.topics.contains { $0.name == cursor.topicName }
            if !isAskedFor || cursor.partitionIndex < 0 {
                refuse(request)
                return
            }
        }
        let asked = isForAll ? cluster.topicNames() : Set(request.topics.map(\.name)).sorted()
        let start = request.cursor
        var left = max(min(limit, Int(request.responsePartitionLimit)), 1)
        let alive = Set(cluster.brokers().filter { !$0.isFenced }.map(\.id))
        for name in asked where start.map({ name >= $0.topicName }) ?? true {
            if left == 0 {
                setCursor(name, 0)
                return
            }
            guard let topic = cluster.topic(named: name) else {
                if !isForAll { appendMissing(name) }
                continue
            }
            let first = start?.topicName == name ? Int(start?.partitionIndex ?? 0) : 0
            let end = min(topic.partitions.count, first + left)
            append(topic, first < end ? topic.partitions[first..<end] : [], alive)
            if end < topic.partitions.count {
                setCursor(name, Int32(end))
                return
            }
            left -= max(end - first, 0)
        }
    }

    private mutating func setCursor(_ name: String, _ partition: Int32) {
        var cursor = DescribeTopicPartitionsResponse.NextCursor()
        cursor.topicName = name
        cursor.partitionIndex = partition
        response.nextCursor = cursor
    }

    private mutating func refuse(_ request: DescribeTopicPartitionsRequest) {
        response.topics = request.topics.map { asked in
            var topic = DescribeTopicPartitionsResponse.Topic()
            topic.errorCode = ErrorCode.invalidRequest.rawValue
            topic.name = asked.name
            return topic
        }
    }

    private mutating func appendMissing(_ name: String) {
        var topic = DescribeTopicPartitionsResponse.Topic()
        let isValid = TopicName.refusal(of: name) == nil
        let code: ErrorCode = isValid ? .unknownTopicOrPartition : .invalidTopicException
        topic.errorCode = code.rawValue
        topic.name = name
        topic.isInternal = TopicName.isInternal(name)
        topic.topicAuthorizedOperations = AuthorizedOperations.topic
        response.topics.append(topic)
    }

    private mutating func append(
        _ topic: SeenTopic, _ partitions: ArraySlice<SeenPartition>, _ alive: Set<NodeID>
    ) {
        var shown = DescribeTopicPartitionsResponse.Topic()
        shown.name = topic.name
        shown.topicId = topic.id.uuid
        shown.isInternal = TopicName.isInternal(topic.name)
        shown.topicAuthorizedOperations = AuthorizedOperations.topic
        shown.partitions = partitions.map { partition in
            var part = DescribeTopicPartitionsResponse.Topic.Partition()
            let isLed = alive.contains(partition.leader)
            part.errorCode = isLed ? 0 : ErrorCode.leaderNotAvailable.rawValue
            part.partitionIndex = partition.index
            part.leaderId = isLed ? partition.leader.rawValue : NodeID.none.rawValue
            part.leaderEpoch = partition.leaderEpoch.rawValue
            part.replicaNodes = partition.replicas.map(\.rawValue)
            part.isrNodes = partition.isr.map(\.rawValue)
            part.eligibleLeaderReplicas = partition.eligibleLeaders.map(\.rawValue)
            part.lastKnownElr = partition.lastKnownEligibleLeaders.map(\.rawValue)
            part.offlineReplicas = partition.replicas.filter { !alive.contains($0) }.map(\.rawValue)
            return part
        }
        response.topics.append(shown)
    }
}
