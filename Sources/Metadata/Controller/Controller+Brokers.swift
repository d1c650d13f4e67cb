internal import MillraceBase
internal import MillraceProtocol

// Registration of brokers, their heartbeats, and who leads when one comes or goes.
extension Controller {
    func registerBroker(
        _ request: BrokerRegistrationRequest, _ context: DecisionContext
    ) -> Decision {
        var response = BrokerRegistrationResponse()
        guard request.clusterId == settings.clusterID else {
            response.errorCode = ErrorCode.inconsistentClusterId.rawValue
            return Decision(reply: .registerBroker(response))
        }
        let id = NodeID(request.brokerId)
        if let known = context.image.brokers[id], known.incarnation == request.incarnationId {
            response.brokerEpoch = known.epoch
            return Decision(reply: .registerBroker(response))
        }
        var record = RegisterBrokerRecord()
        record.brokerId = request.brokerId
        record.incarnationId = request.incarnationId
        record.brokerEpoch = context.nextOffset.rawValue
        record.endPoints = request.listeners.map { listener in
            var endpoint = RegisterBrokerRecord.EndPoint()
            (endpoint.name, endpoint.host) = (listener.name, listener.host)
            (endpoint.port, endpoint.securityProtocol) = (listener.port, listener.securityProtocol)
            return endpoint
        }
        record.features = request.features.map { feature in
            var supported = RegisterBrokerRecord.Feature()
            supported.name = feature.name
            supported.minSupportedVersion = feature.minSupportedVersion
            supported.maxSupportedVersion = feature.maxSupportedVersion
            return supported
        }
        (record.rack, record.logDirs) = (request.rack, request.logDirs.sorted())
        record.fenced = true
        response.brokerEpoch = record.brokerEpoch
        // One that comes back without having said goodbye led until now: others take over first.
        let election = LeaderElection(controller: self, image: context.image)
        return Decision(
            records: [.registerBroker(record)] + election.changes(without: id),
            reply: .registerBroker(response))
    }

    func heartbeat(_ request: BrokerHeartbeatRequest, _ context: DecisionContext) -> Decision {
        var response = BrokerHeartbeatResponse()
        let id = NodeID(request.brokerId)
        guard let broker = context.image.brokers[id], broker.epoch == request.brokerEpoch else {
            response.errorCode = ErrorCode.staleBrokerEpoch.rawValue
            return Decision(reply: .heartbeat(response))
        }
        // It has replayed its own registration: until then it knows an older cluster.
        response.isCaughtUp = request.currentMetadataOffset >= broker.epoch
        response.isFenced = broker.isFenced
        var records: [MetadataRecord] = []
        let election = LeaderElection(controller: self, image: context.image)
        if request.wantShutDown {
            if broker.isFenced {
                response.shouldShutDown = true
            } else if broker.isShuttingDown, !election.isLeader(id) {
                records.append(Self.registrationChange(broker) { $0.fenced = 1 })
                (response.isFenced, response.shouldShutDown) = (true, true)
            } else if !broker.isShuttingDown {
                records.append(Self.registrationChange(broker) { $0.inControlledShutdown = 1 })
                records += election.changes(without: id)
            }
        } else if broker.isFenced, !request.wantFence, response.isCaughtUp {
            records.append(Self.registrationChange(broker) { $0.fenced = -1 })
            records += election.changes(with: id)
            response.isFenced = false
        } else if !broker.isFenced, request.wantFence {
            records.append(Self.registrationChange(broker) { $0.fenced = 1 })
            records += election.changes(without: id)
            response.isFenced = true
        }
        return Decision(records: records, reply: .heartbeat(response))
    }

    private static func registrationChange(
        _ broker: BrokerImage, _ body: (inout BrokerRegistrationChangeRecord) -> Void
    ) -> MetadataRecord {
        var record = BrokerRegistrationChangeRecord()
        (record.brokerId, record.brokerEpoch) = (broker.id.rawValue, broker.epoch)
        body(&record)
        return .brokerRegistrationChange(record)
    }
}

/// Finds new leaders when a broker comes or goes (KIP-966: ISR first, then those who left it and
/// still have all that was committed).
struct LeaderElection {
    let controller: Controller
    let image: ClusterImage

    func isLeader(_ broker: NodeID) -> Bool {
        image.topics.contains { $0.value.partitions.contains { $0.leader == broker } }
    }

    /// What changes when a broker leads no more and follows no more.
    func changes(without broker: NodeID) -> [MetadataRecord] {
        changes { topic, partition in
            guard partition.isr.contains(broker) || partition.leader == broker else { return nil }
            var record = PartitionChangeRecord()
            let isr = partition.isr.filter { $0 != broker }
            let leader =
                partition.leader == broker
                ? partition.replicas.first { isr.contains($0) && image.isActive($0) } ?? .none
                : partition.leader
            if leader != partition.leader { record.leader = leader.rawValue }
            record.isr = isr.map(\.rawValue)
            setEligible(&record, of: topic, partition, isr: isr)
            if isr.isEmpty { record.lastKnownElr = [broker.rawValue] }
            return record
        }
    }

    /// Those who left the ISR stay eligible while it is smaller than it is to be.
    private func setEligible(
        _ record: inout PartitionChangeRecord, of topic: TopicImage, _ partition: PartitionImage,
        isr: [NodeID]
    ) {
        var eligible: [NodeID] = []
        if isr.count < minInSync(topic, replicas: partition.replicas.count) {
            for node in partition.eligibleLeaders + partition.isr
            where !isr.contains(node) && !eligible.contains(node) {
                eligible.append(node)
            }
        }
        if eligible != partition.eligibleLeaders {
            record.eligibleLeaderReplicas = eligible.map(\.rawValue)
        }
    }

    /// What changes when a broker may lead again: it takes partitions that nobody leads.
    func changes(with broker: NodeID) -> [MetadataRecord] {
        changes { topic, partition in
            guard partition.leader == .none else { return nil }
            var record = PartitionChangeRecord()
            if partition.isr.contains(broker) {
                record.leader = broker.rawValue
                return record
            }
            // The last resort is the last leader, where no other replica could have more.
            let isOnly = partition.isr.isEmpty && partition.replicas == [broker]
            guard partition.eligibleLeaders.contains(broker) || isOnly else { return nil }
            record.leader = broker.rawValue
            record.isr = [broker.rawValue]
            let enough = minInSync(topic, replicas: partition.replicas.count) <= 1
            let eligible = enough ? [] : partition.eligibleLeaders.filter { $0 != broker }
            if eligible != partition.eligibleLeaders {
                record.eligibleLeaderReplicas = eligible.map(\.rawValue)
            }
            if !partition.lastKnownEligibleLeaders.isEmpty { record.lastKnownElr = [] }
            return record
        }
    }

    private func changes(
        _ change: (TopicImage, PartitionImage) -> PartitionChangeRecord?
    ) -> [MetadataRecord] {
        var records: [MetadataRecord] = []
        for (id, topic) in image.topics {
            for (index, partition) in topic.partitions.enumerated() {
                guard var record = change(topic, partition) else { continue }
                (record.topicId, record.partitionId) = (id.uuid, Int32(index))
                records.append(.partitionChange(record))
            }
        }
        return records
    }

    /// The smallest ISR of a topic that takes records; never more than it has replicas.
    private func minInSync(_ topic: TopicImage, replicas: Int) -> Int {
        let name = Controller.minInSync
        let text =
            image.configs[ConfigResource(.topic, topic.name)]?[name]
            ?? image.configs[ConfigResource(.broker, "")]?[name]
        return min(text.flatMap { Int($0) } ?? controller.settings.minInSync, replicas)
    }
}
