package import MillraceBase

/// A topic as an update to the shards names it.
package struct TopicUpdate: Sendable {
    /// One partition's leadership.
    package struct Partition: Sendable {
        package var index: Int32
        package var leader: NodeID
        package var leaderEpoch: LeaderEpoch

        package init(index: Int32, leader: NodeID, leaderEpoch: LeaderEpoch) {
            (self.index, self.leader, self.leaderEpoch) = (index, leader, leaderEpoch)
        }
    }

    package var id: TopicID
    package var name: String
    /// In order of index.
    package var partitions: [Partition]
    /// The topic's own settings, over the broker's defaults.
    package var overrides: [String: String]

    package init(
        id: TopicID, name: String, partitions: [Partition], overrides: [String: String]
    ) {
        (self.id, self.name, self.partitions, self.overrides) = (id, name, partitions, overrides)
    }
}

/// One step of the cluster's metadata, for the shards: the whole image, and what changed in it.
package struct MetadataUpdate: Sendable {
    package var view: MetadataView
    package var deleted: [TopicID]
    /// New and changed topics, whole.
    package var changed: [TopicUpdate]
    /// Whether settings of the broker changed: all topics' settings are derived anew.
    package var brokerConfigChanged: Bool

    package init(
        view: MetadataView, deleted: [TopicID], changed: [TopicUpdate], brokerConfigChanged: Bool
    ) {
        (self.view, self.deleted, self.changed) = (view, deleted, changed)
        self.brokerConfigChanged = brokerConfigChanged
    }
}
