package import MillraceBase

/// What happened to one topic.
package struct TopicChange: Equatable, Sendable {
    package var name: String
    package var isCreated = false
    package var isDeleted = false
    /// Indexes of partitions that are new or changed, sorted; all of them if the topic is gone.
    package internal(set) var partitions: [Int32] = []

    mutating func note(_ index: Int32) {
        // Records come in order of index, mostly.
        if let last = partitions.last, last < index { return partitions.append(index) }
        let place = partitions.firstIndex { $0 >= index } ?? partitions.count
        if place < partitions.count, partitions[place] == index { return }
        partitions.insert(index, at: place)
    }
}

/// What changed from one published image to the next, noted while records are replayed: a shard
/// looks at this, not at all topics.
package struct ClusterDelta: Equatable, Sendable {
    package internal(set) var topics = PersistentMap<TopicID, TopicChange>()
    /// Resources with changed settings, sorted.
    package var configs: [ConfigResource] { Array(changedConfigs.keys) }
    /// Brokers that registered, left or changed, sorted.
    package var brokers: [NodeID] { Array(changedBrokers.keys) }
    package internal(set) var hasFeatureChange = false
    /// Records without a meaning here came or went.
    package internal(set) var hasOpaqueChange = false

    var changedConfigs = PersistentMap<ConfigResource, Bool>()
    var changedBrokers = PersistentMap<NodeID, Bool>()

    package init() {}

    package var isEmpty: Bool {
        topics.isEmpty && changedConfigs.isEmpty && changedBrokers.isEmpty && !hasFeatureChange
            && !hasOpaqueChange
    }

    /// What `image` is from nothing: after a snapshot was loaded.
    package init(whole image: ClusterImage) {
        for (id, topic) in image.topics {
            var change = TopicChange(name: topic.name, isCreated: true)
            change.partitions = topic.partitions.indices.map(Int32.init)
            topics[id] = change
        }
        for (resource, _) in image.configs { changedConfigs[resource] = true }
        for (broker, _) in image.brokers { changedBrokers[broker] = true }
        hasFeatureChange = !image.features.isEmpty
        hasOpaqueChange = !image.opaque.isEmpty
    }

    mutating func note(_ partition: Int32, of topic: TopicImage) {
        topics.modify(topic.id, default: TopicChange(name: topic.name)) { $0.note(partition) }
    }

    mutating func noteCreated(_ topic: TopicImage) {
        topics[topic.id] = TopicChange(name: topic.name, isCreated: true)
    }

    mutating func noteDeleted(_ topic: TopicImage) {
        // Made and deleted between two publications: it never was.
        if topics[topic.id]?.isCreated == true { return topics[topic.id] = nil }
        var change = TopicChange(name: topic.name, isDeleted: true)
        change.partitions = topic.partitions.indices.map(Int32.init)
        topics[topic.id] = change
    }
}
