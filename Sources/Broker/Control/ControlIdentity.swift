package import Metadata
package import MillraceBase

/// Where a listener of this node is reached, as the broker registers it.
package struct RegisteredListener: Sendable, Equatable {
    package var name: String
    package var host: String
    package var port: UInt16
    package var securityProtocol: SecurityProtocol

    package init(
        name: String, host: String, port: UInt16, securityProtocol: SecurityProtocol
    ) {
        (self.name, self.host, self.port) = (name, host, port)
        self.securityProtocol = securityProtocol
    }
}

/// What the control loop is, for as long as the node runs.
package struct ControlIdentity: Sendable {
    package var settings: NodeSettings
    package var clusterID: String
    /// Of every data directory.
    package var directoryIDs: [Uuid]
    /// Drawn at each start: by it the controller knows a broker that came back.
    package var incarnation: Uuid
    package var listeners: [RegisteredListener]
    package var shardCount: Int
    /// What `bootstrap.checkpoint` holds.
    package var bootstrap: [MetadataRecord]

    package init(
        settings: NodeSettings, clusterID: String, directoryIDs: [Uuid], incarnation: Uuid,
        listeners: [RegisteredListener], shardCount: Int, bootstrap: [MetadataRecord]
    ) {
        (self.settings, self.clusterID) = (settings, clusterID)
        (self.directoryIDs, self.incarnation) = (directoryIDs, incarnation)
        (self.listeners, self.shardCount) = (listeners, shardCount)
        self.bootstrap = bootstrap
    }

    /// What the controller is told by these settings.
    var controllerSettings: ControllerSettings {
        var controller = ControllerSettings(clusterID: clusterID)
        controller.partitions = settings.partitionsDefault
        controller.replicationFactor = settings.replicationFactorDefault
        controller.minInSync = settings.config.int("min.insync.replicas")
        controller.deletesTopics = settings.deletesTopics
        let groups = settings.groups
        controller.internalTopics[InternalTopic.consumerOffsets] =
            ControllerSettings.InternalTopic(
                partitions: groups.offsetsTopicPartitions,
                replicationFactor: groups.offsetsTopicReplicationFactor,
                configs: [
                    ("cleanup.policy", "compact"), ("compression.type", "producer"),
                    ("segment.bytes", String(groups.offsetsTopicSegmentBytes)),
                ])
        controller.internalTopics[InternalTopic.transactionState] =
            ControllerSettings.InternalTopic(
                partitions: Int32(
                    clamping: settings.config.int("transaction.state.log.num.partitions")),
                replicationFactor: Int16(
                    clamping: settings.config.int("transaction.state.log.replication.factor")),
                configs: [
                    ("cleanup.policy", "compact"), ("compression.type", "uncompressed"),
                    (
                        "segment.bytes",
                        String(settings.config.int("transaction.state.log.segment.bytes"))
                    ),
                    (
                        "min.insync.replicas",
                        String(settings.config.int("transaction.state.log.min.isr"))
                    ),
                    ("unclean.leader.election.enable", "false"),
                ])
        return controller
    }
}
