/// Broker settings of the node as a whole, as in Kafka 4.3.
/// The form of a row stands at `ConfigTable`.
enum GeneralKeys {
    static let rows = #"""
        message.max.bytes|int|1048588|cluster-wide|[0,...]|high
          The largest record batch, as compressed, that a topic takes.
        num.io.threads|int|8|cluster-wide|[1,...]|high
        num.replica.alter.log.dirs.threads|int|null|read-only|-|high
        background.threads|int|10|cluster-wide|[1,...]|high
        request.timeout.ms|int|30000|read-only|-|high
          How long a request may wait for its effect before it is answered with a time-out.
        config.providers|list||cluster-wide|-|low
        delete.topic.enable|boolean|true|read-only|-|high
          Whether topics may be deleted.
        compression.type|string|producer|cluster-wide|[uncompressed, zstd, lz4, snappy, gzip,\#
         producer]|high
          Codec of stored batches; producer keeps the codec that the producer chose.
        compression.gzip.level|int|-1|cluster-wide|[1,...,9] or -1|medium
          Level of gzip where this node compresses.
        compression.lz4.level|int|9|cluster-wide|[1,...,17]|medium
          Level of lz4 where this node compresses.
        compression.zstd.level|int|3|cluster-wide|[-131072,...,22]|medium
          Level of zstd where this node compresses.
        max.incremental.fetch.session.cache.slots|int|1000|read-only|[0,...]|medium
          How many incremental fetch sessions are kept.
        fetch.max.bytes|int|57671680|read-only|[1024,...]|medium
          The most bytes that one fetch response holds.
        max.request.partition.size.limit|int|2000|read-only|[1,...]|medium
          The most partitions in one page of DescribeTopicPartitions.
        unstable.api.versions.enable|boolean|false|read-only|-|internal
        unstable.feature.versions.enable|boolean|false|read-only|-|internal
        process.roles|list|(required)|read-only|[broker, controller]|high
          What this node is: broker, controller, or both.
        node.id|int|(required)|read-only|[0,...]|high
          This node's id, unique in the cluster.
        initial.broker.registration.timeout.ms|int|60000|read-only|-|medium
        server.max.startup.time.ms|long|9223372036854775807|read-only|[0,...]|internal
        metadata.log.max.record.bytes.between.snapshots|long|20971520|read-only|[1,...]|high
          Bytes of metadata records after which a snapshot is written.
        metadata.log.max.snapshot.interval.ms|long|3600000|read-only|[0,...]|high
          Time after which a snapshot is written if there are new records; 0: never.
        metadata.log.dir|string|null|read-only|-|high
          Directory of the metadata log; the first of log.dirs if it is not set.
        metadata.log.segment.bytes|int|1073741824|read-only|[8388608,...]|high
        metadata.log.segment.ms|long|604800000|read-only|-|high
        metadata.max.retention.bytes|long|104857600|read-only|-|high
        metadata.max.retention.ms|long|604800000|read-only|-|high
        metadata.max.idle.interval.ms|int|500|read-only|[0,...]|low
        internal.metadata.log.segment.bytes|int|null|read-only|-|internal
        internal.metadata.max.batch.size.in.bytes|int|8388608|read-only|-|internal
        internal.metadata.delete.delay.millis|long|60000|read-only|-|internal
        default.replication.factor|int|1|read-only|-|medium
          Replicas of a new topic that asks for the default.
        num.replica.fetchers|int|1|cluster-wide|[1,...]|high
        fetch.purgatory.purge.interval.requests|int|1000|read-only|-|medium
        producer.purgatory.purge.interval.requests|int|1000|read-only|-|medium
        delete.records.purgatory.purge.interval.requests|int|1|read-only|-|medium
        auto.leader.rebalance.enable|boolean|true|read-only|-|high
        leader.imbalance.check.interval.seconds|long|300|read-only|[1,...]|high
        unclean.leader.election.interval.ms|long|300000|read-only|[1,...]|internal
        unclean.leader.election.enable|boolean|false|cluster-wide|-|high
          Whether a replica that lacks records may lead when no other is left.
        follower.fetch.last.tiered.offset.enable|boolean|false|cluster-wide|-|medium
        num.partitions|int|1|read-only|[1,...]|medium
          Partitions of a new topic that asks for the default.
        auto.create.topics.enable|boolean|true|read-only|-|high
          Whether a Metadata request may create the topics that it names.
        min.insync.replicas|int|1|cluster-wide|[1,...]|high
          In-sync replicas without which acks=all is refused.
        create.topic.policy.class.name|class|null|read-only|-|low
        alter.config.policy.class.name|class|null|read-only|-|low
        metrics.num.samples|int|2|read-only|[1,...]|low
        metrics.sample.window.ms|long|30000|read-only|[1,...]|low
        metric.reporters|list|org.apache.kafka.common.metrics.JmxReporter|cluster-wide|-|low
        metrics.recording.level|string|INFO|read-only|-|low
        kafka.metrics.reporters|list||read-only|-|low
        kafka.metrics.polling.interval.secs|int|10|read-only|[1,...]|low
        telemetry.max.bytes|int|1048576|read-only|[1,...]|low
        alter.log.dirs.replication.quota.window.num|int|11|read-only|[1,...]|low
        alter.log.dirs.replication.quota.window.size.seconds|int|1|read-only|[1,...]|low
        client.quota.callback.class|class|null|read-only|-|low
        """#
}
