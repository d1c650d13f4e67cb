/// Settings of a topic; the last column: the broker settings that give the default.
/// The form of a row stands at `ConfigTable`.
enum TopicKeys {
    static let rows = #"""
        segment.bytes|int|1073741824|cluster-wide|[1048576,...]|medium|log.segment.bytes
          Size at which a segment is closed and a new one begun.
        segment.ms|long|604800000|cluster-wide|[1,...]|medium|log.roll.ms,log.roll.hours*3600000
          Age at which a segment is closed.
        segment.jitter.ms|long|0|cluster-wide|[0,...]|medium|log.roll.jitter.ms,log.roll.jitter.\#
        hours*3600000
          The most that is taken off segment.ms at random.
        segment.index.bytes|int|10485760|cluster-wide|[4,...]|medium|log.index.size.max.bytes
          The largest offset or time index of a segment.
        flush.messages|long|9223372036854775807|cluster-wide|[1,...]|medium|log.flush.interval.\#
        messages
          Records after which the partition is flushed; 1 flushes before acknowledging.
        flush.ms|long|9223372036854775807|cluster-wide|[0,...]|medium|log.flush.interval.ms,log.\#
        flush.scheduler.interval.ms
          Time after which unflushed records are flushed.
        retention.bytes|long|-1|cluster-wide|-|medium|log.retention.bytes
          Size of a partition above which its oldest segments go; -1: no limit.
        retention.ms|long|604800000|cluster-wide|[-1,...]|medium|log.retention.ms,log.retention.\#
        minutes*60000,log.retention.hours*3600000
          How long closed segments are kept; -1: for ever.
        max.message.bytes|int|1048588|cluster-wide|[0,...]|medium|message.max.bytes
          The largest record batch, as compressed, that the topic takes.
        index.interval.bytes|int|4096|cluster-wide|[0,...]|medium|log.index.interval.bytes
          Bytes of log between two entries of the indexes.
        delete.retention.ms|long|86400000|cluster-wide|[0,...]|medium|log.cleaner.delete.\#
        retention.ms
          How long tombstones stay in a compacted topic.
        min.compaction.lag.ms|long|0|cluster-wide|[0,...]|medium|log.cleaner.min.compaction.lag.\#
        ms
          Age below which a record is not compacted.
        max.compaction.lag.ms|long|9223372036854775807|cluster-wide|[1,...]|medium|log.cleaner.\#
        max.compaction.lag.ms
          Age above which a record is compacted whatever the dirty ratio.
        file.delete.delay.ms|long|60000|cluster-wide|[0,...]|medium|log.segment.delete.delay.ms
          Time between a file's renaming to .deleted and its removal.
        min.cleanable.dirty.ratio|double|0.5|cluster-wide|[0,...,1]|medium|log.cleaner.min.\#
        cleanable.ratio
          Share of uncleaned bytes above which the log is compacted.
        cleanup.policy|list|delete|cluster-wide|[compact, delete]|medium|log.cleanup.policy
          What happens to old segments: delete, compact, or both.
        unclean.leader.election.enable|boolean|false|cluster-wide|-|medium|unclean.leader.\#
        election.enable
          Whether a replica that lacks records may lead when no other is left.
        min.insync.replicas|int|1|cluster-wide|[1,...]|medium|min.insync.replicas
          In-sync replicas without which acks=all is refused.
        compression.type|string|producer|cluster-wide|[uncompressed, zstd, lz4, snappy, gzip,\#
         producer]|medium|compression.type
          Codec of stored batches; producer keeps the codec that the producer chose.
        compression.gzip.level|int|-1|cluster-wide|[1,...,9] or -1|medium|compression.gzip.level
          Level of gzip where the broker compresses.
        compression.lz4.level|int|9|cluster-wide|[1,...,17]|medium|compression.lz4.level
          Level of lz4 where the broker compresses.
        compression.zstd.level|int|3|cluster-wide|[-131072,...,22]|medium|compression.zstd.level
          Level of zstd where the broker compresses.
        preallocate|boolean|false|cluster-wide|-|medium|log.preallocate
          Whether a new segment's space is reserved at once.
        message.timestamp.type|string|CreateTime|cluster-wide|[CreateTime, LogAppendTime]|\#
        medium|log.message.timestamp.type
          Whether records bear the producer's time or that of the append.
        message.timestamp.before.max.ms|long|9223372036854775807|cluster-wide|[0,...]|medium|\#
        log.message.timestamp.before.max.ms
          How far a record's timestamp may lie behind the broker's clock.
        message.timestamp.after.max.ms|long|3600000|cluster-wide|[0,...]|medium|log.message.\#
        timestamp.after.max.ms
          How far a record's timestamp may lie ahead of the broker's clock.
        leader.replication.throttled.replicas|list||cluster-wide|[partitionId]:[brokerId],\#
        [partitionId]:[brokerId],...|medium|
          Replicas whose sending is throttled, as partition:broker, or * for all.
        follower.replication.throttled.replicas|list||cluster-wide|[partitionId]:[brokerId],\#
        [partitionId]:[brokerId],...|medium|
          Replicas whose fetching is throttled, as partition:broker, or * for all.
        remote.storage.enable|boolean|false|cluster-wide|-|medium|
        local.retention.ms|long|-2|cluster-wide|[-2,...]|medium|log.local.retention.ms
        local.retention.bytes|long|-2|cluster-wide|[-2,...]|medium|log.local.retention.bytes
        remote.log.copy.disable|boolean|false|cluster-wide|-|medium|
        remote.log.delete.on.disable|boolean|false|cluster-wide|-|medium|
        internal.segment.bytes|int|null|cluster-wide|-|internal|
          Segment size without a lower limit, for tests.
        """#
}
