package import MillraceBase
package import Metadata
internal import MillraceProtocol

/// The published metadata as a shard holds it: the image, and the settings of brokers that it
/// lays over the node's own.
package struct MetadataView: Sendable {
    package let image: ClusterImage
    package let clusterID: String
    package let nodeID: NodeID
    /// This broker's settings in force.
    package let config: BrokerConfigView

    /// End of the metadata log that this is the state of; exclusive.
    package var offset: Offset { image.end }
    /// Finalised features and their levels, by name.
    package var features: [(name: String, level: Int16)] {
        image.features.map { (name: $0.key, level: $0.value) }
    }

    package init(image: ClusterImage, clusterID: String, nodeID: NodeID, fixed: ServerConfig) {
        (self.image, self.clusterID, self.nodeID) = (image, clusterID, nodeID)
        config = BrokerConfigView(
            fixed: fixed,
            ofBroker: image.configs(of: ConfigResource(.broker, String(nodeID.rawValue))),
            ofAllBrokers: image.configs(of: ConfigResource(.broker, "")))
    }

    /// The cluster as clients of a listener see it.
    package func seen(through listener: String) -> ImageSeen {
        ImageSeen(view: self, listener: listener)
    }

    /// A topic's own settings.
    package func topicOverrides(_ name: String) -> [String: String] {
        image.configs(of: ConfigResource(.topic, name))
    }

    /// What answers DescribeConfigs.
    /// - Parameter loggers: this node's loggers with their levels.
    package func describer(
        loggers: @escaping () -> [(module: String, level: LogLevel)]
    ) -> ConfigDescriber {
        let image = image
        return ConfigDescriber(
            view: config, nodeID: nodeID,
            stored: { type, name in
                if type == .topic, image.topicIDs[name] == nil { return nil }
                return image.configs(of: ConfigResource(type: type.rawValue, name: name))
            }, loggers: loggers)
    }
}

/// The published image, seen through one listener.
package struct ImageSeen: ClusterSeen {
    let view: MetadataView
    let listener: String

    package var clusterID: String { view.clusterID }
    /// Clients are told a broker; with one node it is this one.
    package var controllerID: NodeID { view.nodeID }

    package func brokers() -> [SeenBroker] {
        view.image.brokers.compactMap { id, broker in
            guard let endpoint = broker.endpoint(listener: listener) else { return nil }
            return SeenBroker(
                id: id, host: endpoint.host, port: Int32(endpoint.port), rack: broker.rack,
                isFenced: broker.isFenced)
        }
    }

    package func topic(named name: String) -> SeenTopic? {
        guard let topic = view.image.topic(named: name) else { return nil }
        return SeenTopic(
            name: name, id: topic.id,
            partitions: topic.partitions.enumerated().map { index, partition in
                SeenPartition(
                    index: Int32(index), leader: partition.leader,
                    leaderEpoch: partition.leaderEpoch, replicas: partition.replicas,
                    isr: partition.isr, eligibleLeaders: partition.eligibleLeaders,
                    lastKnownEligibleLeaders: partition.lastKnownEligibleLeaders)
            })
    }

    package func topicName(of id: TopicID) -> String? { view.image.topics[id]?.name }
    package func topicNames() -> [String] { view.image.topicIDs.map(\.key) }
}
