package import MillraceBase
internal import MillraceProtocol

extension ClusterImage {
    /// Calls `body` with the records that make this image from nothing, in an order in which they
    /// can be replayed: a snapshot of it.
    package func forEachSnapshotRecord<E: Error>(
        _ body: (MetadataRecord) throws(E) -> Void
    ) throws(E) {
        precondition(!isInTransaction, "no snapshot holds half a transaction")
        // Kafka reads the metadata version first: it says how the rest is to be read.
        for (name, level) in features where name == Self.metadataVersion {
            try body(.featureLevel(Self.feature(name, level)))
        }
        for (name, level) in features where name != Self.metadataVersion {
            try body(.featureLevel(Self.feature(name, level)))
        }
        for (_, broker) in brokers { try body(.registerBroker(broker.registration)) }
        for (_, controller) in controllers { try body(.registerController(controller)) }
        for (id, topic) in topics {
            var record = TopicRecord()
            record.name = topic.name
            record.topicId = id.uuid
            try body(.topic(record))
            for (index, partition) in topic.partitions.enumerated() {
                try body(.partition(partition.record(of: id, index: Int32(index))))
            }
        }
        for (resource, values) in configs {
            for (name, value) in values {
                try body(.config(Self.config(resource, name, value)))
            }
        }
        for (_, record) in opaque { try body(.other(record)) }
        if let producerIDs { try body(.producerIDs(producerIDs)) }
    }

    /// The records of `forEachSnapshotRecord` at once.
    package func snapshotRecords() -> [MetadataRecord] {
        var records: [MetadataRecord] = []
        forEachSnapshotRecord { records.append($0) }
        return records
    }

    /// The image that a snapshot's records make.
    ///
    /// - Parameter end: the offset that the snapshot stands for.
    package init(
        snapshot records: some Sequence<MetadataRecord>, end: Offset
    ) throws(MetadataError) {
        self.init()
        var delta = ClusterDelta()
        for record in records { try apply(record, at: end, into: &delta) }
        self.end = end
    }

    /// The feature that says which records there are.
    package static let metadataVersion = "metadata.version"

    static func feature(_ name: String, _ level: Int16) -> FeatureLevelRecord {
        var record = FeatureLevelRecord()
        (record.name, record.featureLevel) = (name, level)
        return record
    }

    static func config(
        _ resource: ConfigResource, _ name: String, _ value: String?
    ) -> ConfigRecord {
        var record = ConfigRecord()
        (record.resourceType, record.resourceName) = (resource.type, resource.name)
        (record.name, record.value) = (name, value)
        return record
    }
}
