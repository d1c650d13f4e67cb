package import MillraceBase

/// The settings of a node as plain values: what `Server` and the cores are given. Nothing below
/// `Broker` sees a key's name.
package struct NodeSettings: Sendable {
    /// Sockets and connections.
    package struct Network: Sendable {
        package var sendBufferBytes: Int
        package var receiveBufferBytes: Int
        package var requestBytesMax: Int
        package var backlog: Int
        /// As the file has them: the cluster's metadata may say otherwise.
        package var limits: ConnectionLimits
        /// nil: connections are never closed for being idle.
        package var idle: Duration?
        /// Bytes of requests that the node holds.
        package var queuedRequestBytesMax: Int
        /// Unsent bytes of a connection.
        package var unsentBytesMax: Int
    }

    /// The classic groups.
    package struct Groups: Sendable {
        package var offsetsTopicPartitions: Int32
        package var offsetsTopicReplicationFactor: Int16
        package var offsetsTopicSegmentBytes: Int
        package var offsetMetadataBytesMax: Int
        package var offsetsRetention: Duration
        package var offsetsRetentionCheckInterval: Duration
        package var offsetsCommitTimeout: Duration
        package var sessionTimeoutMin: Duration
        package var sessionTimeoutMax: Duration
        package var initialRebalanceDelay: Duration
        package var membersMax: Int
    }

    /// Work that the logs have done from time to time.
    package struct LogWork: Sendable {
        package var retentionCheckInterval: Duration
        package var initialDelay: Duration
        package var recoveryPointInterval: Duration
        package var startOffsetInterval: Duration
        package var producerExpiration: Duration
        package var flushCheckInterval: Duration
    }

    /// The metadata log.
    package struct Quorum: Sendable {
        package var snapshotAfterBytes: Int64
        package var snapshotAfter: Duration?
        package var heartbeatInterval: Duration
        package var sessionTimeout: Duration
    }

    package var nodeID: NodeID
    package var rack: String?
    package var listeners: [ListenerSettings]
    package var interBrokerListener: String
    /// Absolute or relative paths, without repetition.
    package var logDirectories: [String]
    package var metadataDirectory: String
    package var formatsEmptyDirectory: Bool
    /// Event loops; 0 leaves it to the number of processors.
    package var shards: Int
    package var diskThreads: Int
    /// nil: no HTTP.
    package var http: (host: String, port: UInt16)?
    package var logLevel: LogLevel
    /// nil: as the descriptor is.
    package var logFormat: LogFormat?

    package var createsTopics: Bool
    package var deletesTopics: Bool
    package var partitionsDefault: Int32
    package var replicationFactorDefault: Int16
    package var requestTimeout: Duration
    package var fetchBytesMax: Int
    package var fetchSessionsMax: Int
    /// `millrace.request.decoded.max.bytes`
    package var decodedBytesMax: Int
    package var describedPartitionsMax: Int
    package var verifiesFetch: Bool
    package var topicsWithMetrics: [String]
    package var network: Network
    package var groups: Groups
    package var logWork: LogWork
    package var quorum: Quorum
    /// Whence all this comes, for DescribeConfigs and the defaults of topics.
    package var config: ServerConfig
    /// Lines to log at the start.
    package var warnings: [String]

    /// What `queued.max.request.bytes` of −1 means here: Kafka's "no limit" would let a few peers
    /// fill the memory.
    static let queuedRequestBytesDefault = 256 << 20

    /// Derives the values; what needs several keys is checked here.
    package init(_ config: ServerConfig) throws(ConfigError) {
        self.config = config
        warnings = config.warnings
        nodeID = try Self.nodeID(config)
        try Self.checkRoles(config, nodeID)
        rack = config.text("broker.rack")
        listeners = try ListenerSettings.all(of: config)
        interBrokerListener = try Self.interBroker(config, listeners)
        logDirectories = try Self.directories(config)
        metadataDirectory = config.text("metadata.log.dir") ?? logDirectories.first ?? ""
        formatsEmptyDirectory = config.boolean("millrace.storage.format")
        shards = config.int("millrace.shards")
        diskThreads = config.int("millrace.disk.threads")
        http = try Self.http(config)
        logLevel = config.text("millrace.log.level").flatMap(LogLevel.init) ?? .info
        switch config.text("millrace.log.format") {
        case "text": logFormat = .text
        case "json": logFormat = .json
        default: logFormat = nil
        }
        createsTopics = config.boolean("auto.create.topics.enable")
        deletesTopics = config.boolean("delete.topic.enable")
        partitionsDefault = Int32(clamping: config.int("num.partitions"))
        replicationFactorDefault = Int16(clamping: config.int("default.replication.factor"))
        requestTimeout = config.milliseconds("request.timeout.ms")
        fetchBytesMax = config.int("fetch.max.bytes")
        decodedBytesMax = config.int("millrace.request.decoded.max.bytes")
        fetchSessionsMax = config.int("max.incremental.fetch.session.cache.slots")
        describedPartitionsMax = config.int("max.request.partition.size.limit")
        verifiesFetch = config.boolean("millrace.fetch.verify")
        topicsWithMetrics = config.list("millrace.metrics.topics")
        network = try Network(config)
        groups = try Groups(config)
        logWork = LogWork(config)
        quorum = Quorum(config)
        for listener in listeners where listener.isController {
            warnings.append(
                "listener \(listener.name) is not opened: this version has one controller, "
                    + "in the same process")
        }
    }

    private static func nodeID(_ config: ServerConfig) throws(ConfigError) -> NodeID {
        let old = config.explicit["broker.id"]
        guard let given = config.explicit["node.id"] ?? old, case .integer(let id) = given, id >= 0
        else { throw ConfigError("node.id is missing: the id of this node, 0 or more") }
        if let old, old != given {
            throw ConfigError("You must set `node.id` to the same value as `broker.id`.")
        }
        return NodeID(Int32(clamping: id))
    }

    private static func checkRoles(_ config: ServerConfig, _ node: NodeID) throws(ConfigError) {
        if let roles = config.explicit["process.roles"],
            Set(ConfigKey.elements(of: roles.text)) != ["broker", "controller"]
        {
            throw ConfigError(
                "process.roles=\(roles.text) is not served by this version: it is one node, "
                    + "broker,controller")
        }
        let voters = config.list("controller.quorum.voters")
        let ids = voters.map { $0.split(separator: "@").first.flatMap { Int32($0) } }
        if !voters.isEmpty, ids != [node.rawValue] {
            throw ConfigError(
                "controller.quorum.voters=\(voters.joined(separator: ",")) is not served by this "
                    + "version: the only voter is this node, \(node.rawValue)")
        }
    }

    private static func interBroker(
        _ config: ServerConfig, _ listeners: [ListenerSettings]
    ) throws(ConfigError) -> String {
        if let name = config.text("inter.broker.listener.name") {
            if listeners.contains(where: { $0.name == name && !$0.isController }) { return name }
            throw ConfigError("inter.broker.listener.name=\(name) is none of the listeners")
        }
        let wanted = config.text("security.inter.broker.protocol")
        let clients = listeners.filter { !$0.isController }
        return clients.first { $0.securityProtocol.rawValue == wanted }?.name ?? clients.first?.name
            ?? ""
    }

    private static func directories(_ config: ServerConfig) throws(ConfigError) -> [String] {
        let given = config.explicit["log.dirs"] != nil ? "log.dirs" : "log.dir"
        var directories: [String] = []
        for directory in config.list(given) where !directory.isEmpty {
            if directories.contains(directory) {
                throw ConfigError("\(given): \(directory) stands there twice")
            }
            directories.append(directory)
        }
        if directories.isEmpty { throw ConfigError("log.dirs is empty: where is the data?") }
        return directories
    }

    private static func http(
        _ config: ServerConfig
    ) throws(ConfigError) -> (host: String, port: UInt16)? {
        guard let text = config.text("millrace.http.listener"), !text.isEmpty else { return nil }
        return try Endpoint.hostAndPort(text, key: "millrace.http.listener")
    }
}

extension ServerConfig {
    /// A setting in milliseconds that has a default.
    func milliseconds(_ name: String) -> Duration { .milliseconds(integer(name) ?? 0) }
}

extension NodeSettings.Network {
    init(_ config: ServerConfig) throws(ConfigError) {
        sendBufferBytes = config.int("socket.send.buffer.bytes")
        receiveBufferBytes = config.int("socket.receive.buffer.bytes")
        requestBytesMax = config.int("socket.request.max.bytes")
        backlog = config.int("socket.listen.backlog.size")
        limits = try ConnectionLimits(config.value)
        let idle = config.int("connections.max.idle.ms")
        self.idle = idle < 0 ? nil : .milliseconds(idle)
        let queued = config.int("queued.max.request.bytes")
        queuedRequestBytesMax = queued > 0 ? queued : NodeSettings.queuedRequestBytesDefault
        unsentBytesMax = config.int("millrace.connection.unsent.max.bytes")
    }
}

extension NodeSettings.Groups {
    init(_ config: ServerConfig) throws(ConfigError) {
        offsetsTopicPartitions = Int32(clamping: config.int("offsets.topic.num.partitions"))
        offsetsTopicReplicationFactor = Int16(
            clamping: config.int("offsets.topic.replication.factor"))
        offsetsTopicSegmentBytes = config.int("offsets.topic.segment.bytes")
        offsetMetadataBytesMax = config.int("offset.metadata.max.bytes")
        offsetsRetention = .seconds(config.int("offsets.retention.minutes") * 60)
        offsetsRetentionCheckInterval = config.milliseconds("offsets.retention.check.interval.ms")
        offsetsCommitTimeout = config.milliseconds("offsets.commit.timeout.ms")
        sessionTimeoutMin = config.milliseconds("group.min.session.timeout.ms")
        sessionTimeoutMax = config.milliseconds("group.max.session.timeout.ms")
        initialRebalanceDelay = config.milliseconds("group.initial.rebalance.delay.ms")
        membersMax = config.int("group.max.size")
        if sessionTimeoutMin > sessionTimeoutMax {
            throw ConfigError(
                "group.min.session.timeout.ms is greater than group.max.session.timeout.ms")
        }
    }
}

extension NodeSettings.LogWork {
    init(_ config: ServerConfig) {
        retentionCheckInterval = config.milliseconds("log.retention.check.interval.ms")
        initialDelay = config.milliseconds("log.initial.task.delay.ms")
        // Kafka takes 0 here; a loop that does nothing else would be the answer.
        let least = Duration.milliseconds(100)
        recoveryPointInterval = max(
            least, config.milliseconds("log.flush.offset.checkpoint.interval.ms"))
        startOffsetInterval = max(
            least, config.milliseconds("log.flush.start.offset.checkpoint.interval.ms"))
        producerExpiration = config.milliseconds("producer.id.expiration.ms")
        flushCheckInterval = config.milliseconds("log.flush.scheduler.interval.ms")
    }
}

extension NodeSettings.Quorum {
    init(_ config: ServerConfig) {
        snapshotAfterBytes =
            config.integer("metadata.log.max.record.bytes.between.snapshots") ?? 20 << 20
        let interval = config.int("metadata.log.max.snapshot.interval.ms")
        snapshotAfter = interval == 0 ? nil : .milliseconds(interval)
        heartbeatInterval = config.milliseconds("broker.heartbeat.interval.ms")
        sessionTimeout = config.milliseconds("broker.session.timeout.ms")
    }
}
