package import MillraceBase
package import MillraceProtocol

/// The cluster at one offset of the metadata log: a value of persistent maps. A copy costs
/// nothing, one change O(log n); both the controller's staged image and the published one are
/// such values, and so is what a shard holds.
package struct ClusterImage: Equatable, Sendable {
    package internal(set) var topics = PersistentMap<TopicID, TopicImage>()
    package internal(set) var topicIDs = PersistentMap<String, TopicID>()
    package internal(set) var brokers = PersistentMap<NodeID, BrokerImage>()
    package internal(set) var controllers = PersistentMap<NodeID, RegisterControllerRecord>()
    /// Settings as they were written, by resource and name; a resource without any is not there.
    package internal(set) var configs =
        PersistentMap<ConfigResource, PersistentMap<String, String>>()
    /// Finalised levels by feature.
    package internal(set) var features = PersistentMap<String, Int16>()
    /// The record that gave out the last block of producer ids; nil before the first.
    package internal(set) var producerIDs: ProducerIdsRecord?
    /// Records without a meaning here, kept for snapshots.
    package internal(set) var opaque = PersistentMap<OpaqueRecord.Key, OpaqueRecord>()
    /// Offset after the last record that was replayed.
    package internal(set) var end = Offset.zero
    /// The image before the transaction that is open: at most one.
    var beforeTransaction: [ClusterImage] = []

    package init() {}

    /// A transaction of the log that has not ended: the image is not to be published.
    package var isInTransaction: Bool { !beforeTransaction.isEmpty }

    package func topic(named name: String) -> TopicImage? {
        topicIDs[name].flatMap { topics[$0] }
    }

    package func partition(_ partition: TopicPartition) -> PartitionImage? {
        topics[partition.topic]?[partition: partition.index]
    }

    /// The settings of a resource; empty if there are none.
    package func configs(of resource: ConfigResource) -> [String: String] {
        guard let values = configs[resource] else { return [:] }
        return Dictionary(uniqueKeysWithValues: values.map { ($0.key, $0.value) })
    }

    /// The finalised level of a feature; 0 if it is not finalised.
    package func featureLevel(_ name: String) -> Int16 { features[name] ?? 0 }

    /// The first producer id that no block holds.
    package var nextProducerID: Int64 { producerIDs?.nextProducerId ?? 0 }

    /// Brokers that may lead: neither fenced nor shutting down.
    package func isActive(_ broker: NodeID) -> Bool {
        guard let broker = brokers[broker] else { return false }
        return !broker.isFenced && !broker.isShuttingDown
    }
}
