/// Settings of one group; the last column: the broker setting that gives the default.
/// The form of a row stands at `ConfigTable`.
enum GroupConfigKeys {
    static let rows = #"""
        consumer.session.timeout.ms|int|45000|cluster-wide|[1,...]|medium|group.consumer.\#
        session.timeout.ms
        consumer.heartbeat.interval.ms|int|5000|cluster-wide|[1,...]|medium|group.consumer.\#
        heartbeat.interval.ms
        consumer.assignment.interval.ms|int|1000|cluster-wide|[0,...]|medium|group.consumer.\#
        assignment.interval.ms
        share.session.timeout.ms|int|45000|cluster-wide|[1,...]|medium|group.share.session.\#
        timeout.ms
        share.heartbeat.interval.ms|int|5000|cluster-wide|[1,...]|medium|group.share.heartbeat.\#
        interval.ms
        share.record.lock.duration.ms|int|30000|cluster-wide|[1000,...]|medium|group.share.\#
        record.lock.duration.ms
        share.delivery.count.limit|int|5|cluster-wide|[2,...]|medium|group.share.delivery.count.\#
        limit
        share.partition.max.record.locks|int|2000|cluster-wide|[100,...]|medium|group.share.\#
        partition.max.record.locks
        share.auto.offset.reset|string|latest|cluster-wide|[latest, earliest, by_duration:\#
        PnDTnHnMn.nS]|medium|
        share.isolation.level|string|read_uncommitted|cluster-wide|[read_committed,\#
         read_uncommitted]|medium|
        share.renew.acknowledge.enable|boolean|true|cluster-wide|-|medium|
        share.assignment.interval.ms|int|1000|cluster-wide|[0,...]|medium|group.share.\#
        assignment.interval.ms
        streams.session.timeout.ms|int|45000|cluster-wide|[1,...]|medium|group.streams.session.\#
        timeout.ms
        streams.heartbeat.interval.ms|int|5000|cluster-wide|[1,...]|medium|group.streams.\#
        heartbeat.interval.ms
        streams.num.standby.replicas|int|0|cluster-wide|[0,...]|medium|group.streams.num.\#
        standby.replicas
        streams.initial.rebalance.delay.ms|int|3000|cluster-wide|[0,...]|medium|group.streams.\#
        initial.rebalance.delay.ms
        streams.assignment.interval.ms|int|1000|cluster-wide|[0,...]|medium|group.streams.\#
        assignment.interval.ms
        """#
}
