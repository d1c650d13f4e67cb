internal import Metadata
internal import MillraceBase

extension MetadataUpdate {
    /// What the shards take up of a change of the published image.
    init(image: ClusterImage, delta: ClusterDelta, identity: ControlIdentity) {
        let settings = identity.settings
        let view = MetadataView(
            image: image, clusterID: identity.clusterID, nodeID: settings.nodeID,
            fixed: settings.config)
        var deleted: [TopicID] = []
        var changed: [TopicUpdate] = []
        var listed: Set<TopicID> = []
        for (id, change) in delta.topics {
            if let topic = image.topics[id] {
                listed.insert(id)
                changed.append(TopicUpdate(topic, view))
            } else if change.isDeleted {
                deleted.append(id)
            }
        }
        var brokerConfigChanged = false
        for resource in delta.configs {
            switch resource.kind {
            case .topic:
                guard let topic = image.topic(named: resource.name),
                    listed.insert(topic.id).inserted
                else { continue }
                changed.append(TopicUpdate(topic, view))
            case .broker: brokerConfigChanged = true
            default: break
            }
        }
        self.init(
            view: view, deleted: deleted, changed: changed,
            brokerConfigChanged: brokerConfigChanged)
    }
}

extension TopicUpdate {
    init(_ topic: TopicImage, _ view: MetadataView) {
        self.init(
            id: topic.id, name: topic.name,
            partitions: topic.partitions.enumerated().map { index, partition in
                Partition(
                    index: Int32(index), leader: partition.leader,
                    leaderEpoch: partition.leaderEpoch)
            }, overrides: view.topicOverrides(topic.name))
    }
}
