package import MillraceBase
internal import MillraceProtocol

extension ClusterImage {
    /// Takes the next record in.
    ///
    /// - Parameters:
    ///   - offset: of the record, which becomes the image's last.
    ///   - delta: notes what changed. After an aborted transaction it names more than did.
    package mutating func apply(
        _ record: MetadataRecord, at offset: Offset, into delta: inout ClusterDelta
    ) throws(MetadataError) {
        switch record {
        case .beginTransaction: try begin()
        case .endTransaction: try endTransaction()
        case .abortTransaction: try abortTransaction()
        default: try replay(record, &delta)
        }
        end = offset + 1
    }

    private mutating func begin() throws(MetadataError) {
        guard beforeTransaction.isEmpty else {
            throw .inconsistent("a transaction begins while another is open")
        }
        beforeTransaction = [self]
    }

    private mutating func endTransaction() throws(MetadataError) {
        guard isInTransaction else { throw .inconsistent("no transaction is open") }
        beforeTransaction = []
    }

    private mutating func abortTransaction() throws(MetadataError) {
        guard let before = beforeTransaction.first else {
            throw .inconsistent("no transaction is open")
        }
        self = before
    }

    private mutating func replay(
        _ record: MetadataRecord, _ delta: inout ClusterDelta
    ) throws(MetadataError) {
        switch record {
        case .topic(let record): try replay(record, &delta)
        case .removeTopic(let record): try replay(record, &delta)
        case .partition(let record): try replay(record, &delta)
        case .partitionChange(let record): try replay(record, &delta)
        case .clearElr(let record): try replay(record, &delta)
        case .registerBroker(let record):
            brokers[NodeID(record.brokerId)] = BrokerImage(registration: record)
            delta.changedBrokers[NodeID(record.brokerId)] = true
        case .unregisterBroker(let record):
            let broker = try check(record.brokerId, epoch: record.brokerEpoch)
            brokers[broker] = nil
            delta.changedBrokers[broker] = true
        case .fenceBroker(let record):
            try change(record.id, record.epoch, &delta) { $0.registration.fenced = true }
        case .unfenceBroker(let record):
            try change(record.id, record.epoch, &delta) { $0.registration.fenced = false }
        case .brokerRegistrationChange(let record):
            try change(record.brokerId, record.brokerEpoch, &delta) { $0.apply(record) }
        case .registerController(let record): controllers[NodeID(record.controllerId)] = record
        case .config(let record): replay(record, &delta)
        case .featureLevel(let record):
            features[record.name] = record.featureLevel == 0 ? nil : record.featureLevel
            delta.hasFeatureChange = true
        case .producerIDs(let record): producerIDs = record
        case .other(let record):
            opaque[record.key] = record.isRemoval ? nil : record
            delta.hasOpaqueChange = true
        case .noOp, .beginTransaction, .endTransaction, .abortTransaction: break
        }
    }

    private func check(_ id: Int32, epoch: Int64) throws(MetadataError) -> NodeID {
        guard let broker = brokers[NodeID(id)] else {
            throw .inconsistent("broker \(id) is not registered")
        }
        guard broker.epoch == epoch else {
            throw .inconsistent("broker \(id) has epoch \(broker.epoch), not \(epoch)")
        }
        return broker.id
    }

    private mutating func change(
        _ id: Int32, _ epoch: Int64, _ delta: inout ClusterDelta,
        _ body: (inout BrokerImage) -> Void
    ) throws(MetadataError) {
        let broker = try check(id, epoch: epoch)
        brokers.modify(broker, body)
        delta.changedBrokers[broker] = true
    }

    private mutating func replay(
        _ record: TopicRecord, _ delta: inout ClusterDelta
    ) throws(MetadataError) {
        let topic = TopicImage(id: TopicID(record.topicId), name: record.name)
        guard topicIDs[record.name] == nil, topics[topic.id] == nil else {
            throw .inconsistent("topic \(record.name) is made twice")
        }
        topics[topic.id] = topic
        topicIDs[topic.name] = topic.id
        delta.noteCreated(topic)
    }

    private mutating func replay(
        _ record: RemoveTopicRecord, _ delta: inout ClusterDelta
    ) throws(MetadataError) {
        guard let topic = topics.removeValue(forKey: TopicID(record.topicId)) else {
            throw .inconsistent("topic \(record.topicId) is removed and was not there")
        }
        topicIDs[topic.name] = nil
        configs[ConfigResource(.topic, topic.name)] = nil
        delta.noteDeleted(topic)
    }

    private mutating func replay(
        _ record: PartitionRecord, _ delta: inout ClusterDelta
    ) throws(MetadataError) {
        let id = TopicID(record.topicId)
        let index = record.partitionId
        let placed = topics.modify(id) { topic -> Bool in
            guard index >= 0, index <= topic.partitions.count else { return false }
            let partition = PartitionImage(record)
            if index == topic.partitions.count {
                topic.partitions.append(partition)
            } else {
                topic.partitions[Int(index)] = partition
            }
            delta.note(index, of: topic)
            return true
        }
        guard placed == true else {
            throw .inconsistent("partition \(index) of topic \(record.topicId) has no place")
        }
    }

    private mutating func replay(
        _ record: PartitionChangeRecord, _ delta: inout ClusterDelta
    ) throws(MetadataError) {
        let index = record.partitionId
        let changed = topics.modify(TopicID(record.topicId)) { topic -> Bool in
            guard index >= 0, index < topic.partitions.count else { return false }
            topic.partitions[Int(index)].apply(record)
            delta.note(index, of: topic)
            return true
        }
        guard changed == true else {
            throw .inconsistent("partition \(index) of topic \(record.topicId) is not there")
        }
    }

    /// Forgets the eligible leaders of a topic, or of all: its smallest ISR changed.
    private mutating func replay(
        _ record: ClearElrRecord, _ delta: inout ClusterDelta
    ) throws(MetadataError) {
        var ids: [TopicID] = []
        if record.topicName.isEmpty {
            ids = Array(topics.keys)
        } else if let id = topicIDs[record.topicName] {
            ids = [id]
        } else {
            throw .inconsistent("topic \(record.topicName) is not there")
        }
        for id in ids {
            let clears = { (partition: PartitionImage) in
                !partition.eligibleLeaders.isEmpty || !partition.lastKnownEligibleLeaders.isEmpty
            }
            guard topics[id]?.partitions.contains(where: clears) == true else { continue }
            topics.modify(id) { topic in
                for index in topic.partitions.indices where clears(topic.partitions[index]) {
                    topic.partitions[index].eligibleLeaders = []
                    topic.partitions[index].lastKnownEligibleLeaders = []
                    topic.partitions[index].partitionEpoch &+= 1
                    delta.note(Int32(index), of: topic)
                }
            }
        }
    }

    private mutating func replay(_ record: ConfigRecord, _ delta: inout ClusterDelta) {
        let resource = ConfigResource(type: record.resourceType, name: record.resourceName)
        configs.modify(resource, default: [:]) { $0[record.name] = record.value }
        if configs[resource]?.isEmpty == true { configs[resource] = nil }
        delta.changedConfigs[resource] = true
    }
}
