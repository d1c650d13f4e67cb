/// Broker settings of coordinators: groups, offsets, transactions, share groups, as in Kafka 4.3.
/// The form of a row stands at `ConfigTable`.
enum GroupKeys {
    static let rows = #"""
        group.coordinator.rebalance.protocols|list|classic,consumer,streams|read-only|[consumer,\#
         classic, share, streams]|medium
        group.coordinator.threads|int|4|read-only|[1,...]|high
        group.coordinator.background.threads|int|2|read-only|[1,...]|high
        group.coordinator.append.linger.ms|int|-1|read-only|[-1,...]|medium
        offsets.commit.timeout.ms|int|5000|read-only|[1,...]|high
          Time that an offset commit may take to reach all in-sync replicas.
        offsets.load.buffer.size|int|5242880|read-only|[1,...]|high
        offsets.topic.replication.factor|short|3|read-only|[1,...]|high
          Replicas of __consumer_offsets.
        offsets.topic.num.partitions|int|50|read-only|[1,...]|high
          Partitions of __consumer_offsets, fixed when it is created.
        offsets.topic.segment.bytes|int|104857600|read-only|[1,...]|high
          Segment size of __consumer_offsets.
        offsets.topic.compression.codec|int|0|read-only|-|high
          Codec of records in __consumer_offsets: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
        group.coordinator.cached.buffer.max.bytes|int|1048588|cluster-wide|[524288,...]|medium
        offset.metadata.max.bytes|int|4096|read-only|-|high
          The longest metadata text of a committed offset.
        offsets.retention.minutes|int|10080|read-only|[1,...]|high
          How long offsets outlive their group's last member.
        offsets.retention.check.interval.ms|long|600000|read-only|[1,...]|high
          Time between two looks for expired offsets.
        group.min.session.timeout.ms|int|6000|read-only|-|medium
          The shortest session time-out that a classic group member may ask for.
        group.max.session.timeout.ms|int|1800000|read-only|-|medium
          The longest session time-out that a classic group member may ask for.
        group.initial.rebalance.delay.ms|int|3000|read-only|-|medium
          How long an empty group waits for more members before its first rebalance.
        group.max.size|int|2147483647|read-only|[1,...]|medium
          The most members of a classic group.
        group.consumer.session.timeout.ms|int|45000|read-only|[1,...]|medium
        group.consumer.min.session.timeout.ms|int|45000|read-only|[1,...]|medium
        group.consumer.max.session.timeout.ms|int|60000|read-only|[1,...]|medium
        group.consumer.heartbeat.interval.ms|int|5000|read-only|[1,...]|medium
        group.consumer.min.heartbeat.interval.ms|int|5000|read-only|[1,...]|medium
        group.consumer.max.heartbeat.interval.ms|int|15000|read-only|[1,...]|medium
        group.consumer.max.size|int|2147483647|read-only|[1,...]|medium
        group.consumer.assignors|list|uniform,range|read-only|-|medium
        group.consumer.migration.policy|string|bidirectional|read-only|\#
        (case insensitive) [DISABLED, DOWNGRADE, UPGRADE, BIDIRECTIONAL]|medium
        group.consumer.assignment.interval.ms|int|1000|cluster-wide|[0,...]|medium
        group.consumer.min.assignment.interval.ms|int|0|read-only|[0,...]|medium
        group.consumer.max.assignment.interval.ms|int|15000|read-only|[0,...]|medium
        group.consumer.regex.refresh.interval.ms|int|600000|read-only|[10000,...]|internal
        group.share.session.timeout.ms|int|45000|read-only|[1,...]|medium
        group.share.min.session.timeout.ms|int|45000|read-only|[1,...]|medium
        group.share.max.session.timeout.ms|int|60000|read-only|[1,...]|medium
        group.share.heartbeat.interval.ms|int|5000|read-only|[1,...]|medium
        group.share.min.heartbeat.interval.ms|int|5000|read-only|[1,...]|medium
        group.share.max.heartbeat.interval.ms|int|15000|read-only|[1,...]|medium
        group.share.max.size|int|200|read-only|[1,...,1000]|medium
        group.share.assignors|list|simple|read-only|-|medium
        group.share.assignment.interval.ms|int|1000|cluster-wide|[0,...]|medium
        group.share.min.assignment.interval.ms|int|0|read-only|[0,...]|medium
        group.share.max.assignment.interval.ms|int|15000|read-only|[0,...]|medium
        group.share.initialize.retry.interval.ms|int|30000|read-only|[1,...]|internal
        group.streams.session.timeout.ms|int|45000|read-only|[1,...]|medium
        group.streams.min.session.timeout.ms|int|45000|read-only|[1,...]|medium
        group.streams.max.session.timeout.ms|int|60000|read-only|[1,...]|medium
        group.streams.heartbeat.interval.ms|int|5000|read-only|[1,...]|medium
        group.streams.min.heartbeat.interval.ms|int|5000|read-only|[1,...]|medium
        group.streams.max.heartbeat.interval.ms|int|15000|read-only|[1,...]|medium
        group.streams.max.size|int|2147483647|read-only|[1,...]|medium
        group.streams.num.standby.replicas|int|0|read-only|[0,...]|medium
        group.streams.max.standby.replicas|int|2|read-only|[0,...]|medium
        group.streams.initial.rebalance.delay.ms|int|3000|read-only|[0,...]|medium
        group.streams.assignment.interval.ms|int|1000|cluster-wide|[0,...]|medium
        group.streams.min.assignment.interval.ms|int|0|read-only|[0,...]|medium
        group.streams.max.assignment.interval.ms|int|15000|read-only|[0,...]|medium
        group.share.delivery.count.limit|int|5|read-only|[2,...,10]|medium
        group.share.max.delivery.count.limit|int|10|read-only|[5,...,25]|medium
        group.share.min.delivery.count.limit|int|2|read-only|[2,...,5]|medium
        group.share.record.lock.duration.ms|int|30000|read-only|[1000,...,3600000]|medium
        group.share.min.record.lock.duration.ms|int|15000|read-only|[1000,...,30000]|medium
        group.share.max.record.lock.duration.ms|int|60000|read-only|[30000,...,3600000]|medium
        group.share.partition.max.record.locks|int|2000|read-only|[100,...,10000]|medium
        group.share.max.partition.max.record.locks|int|4000|read-only|[2000,...,10000]|medium
        group.share.min.partition.max.record.locks|int|100|read-only|[100,...,2000]|medium
        share.fetch.purgatory.purge.interval.requests|int|1000|read-only|-|medium
        group.share.max.share.sessions|int|2000|read-only|[1,...]|medium
        group.share.persister.class.name|string|org.apache.kafka.server.share.persister.\#
        DefaultStatePersister|read-only|-|internal
        share.coordinator.state.topic.num.partitions|int|50|read-only|[1,...]|high
        share.coordinator.state.topic.replication.factor|short|3|read-only|[1,...]|high
        share.coordinator.state.topic.min.isr|short|2|read-only|[1,...]|high
        share.coordinator.state.topic.segment.bytes|int|104857600|read-only|[1,...]|high
        share.coordinator.threads|int|1|read-only|[1,...]|medium
        share.coordinator.snapshot.update.records.per.snapshot|int|500|read-only|[0,...,500]|\#
        medium
        share.coordinator.load.buffer.size|int|5242880|read-only|[1,...]|high
        share.coordinator.state.topic.compression.codec|int|0|read-only|-|high
        share.coordinator.append.linger.ms|int|-1|read-only|[-1,...]|medium
        share.coordinator.write.timeout.ms|int|5000|read-only|[1,...]|high
        share.coordinator.state.topic.prune.interval.ms|int|300000|read-only|[1,...]|internal
        share.coordinator.cold.partition.snapshot.interval.ms|int|300000|read-only|[1,...]|\#
        internal
        share.coordinator.cached.buffer.max.bytes|int|1048588|cluster-wide|[524288,...]|medium
        transaction.state.log.min.isr|int|2|read-only|[1,...]|high
        transaction.state.log.load.buffer.size|int|5242880|read-only|[1,...]|high
        transaction.state.log.replication.factor|short|3|read-only|[1,...]|high
        transaction.state.log.num.partitions|int|50|read-only|[1,...]|high
        transaction.state.log.segment.bytes|int|104857600|read-only|[1,...]|high
        transaction.partition.verification.enable|boolean|true|cluster-wide|-|low
        transactional.id.expiration.ms|int|604800000|read-only|[1,...]|high
        transaction.max.timeout.ms|int|900000|read-only|[1,...]|high
        transaction.abort.timed.out.transaction.cleanup.interval.ms|int|10000|read-only|[1,...]|\#
        low
        transaction.remove.expired.transaction.cleanup.interval.ms|int|3600000|read-only|[1,...\#
        ]|low
        transaction.two.phase.commit.enable|boolean|false|read-only|-|low
        add.partitions.to.txn.retry.backoff.max.ms|int|100|read-only|[0,...]|high
        add.partitions.to.txn.retry.backoff.ms|int|20|read-only|[1,...]|high
        """#
}
