/// Broker settings of storage and tiered storage, as in Kafka 4.3.
/// The form of a row stands at `ConfigTable`.
enum LogKeys {
    static let rows = #"""
        remote.log.storage.system.enable|boolean|false|read-only|-|medium
        remote.log.storage.manager.impl.prefix|string|rsm.config.|read-only|non-empty string|\#
        medium
        remote.log.metadata.manager.impl.prefix|string|rlmm.config.|read-only|non-empty string|\#
        medium
        remote.log.storage.manager.class.name|string|null|read-only|non-empty string|medium
        remote.log.storage.manager.class.path|string|null|read-only|-|medium
        remote.log.metadata.manager.class.name|string|org.apache.kafka.server.log.remote.\#
        metadata.storage.TopicBasedRemoteLogMetadataManager|read-only|non-empty string|medium
        remote.log.metadata.manager.class.path|string|null|read-only|-|medium
        remote.log.metadata.manager.listener.name|string|null|read-only|non-empty string|medium
        remote.log.metadata.custom.metadata.max.bytes|int|128|read-only|[0,...]|low
        remote.log.index.file.cache.total.size.bytes|long|1073741824|cluster-wide|[1,...]|low
        remote.log.index.file.cache.ttl.ms|long|900000|read-only|[-1,...]|internal
        remote.log.manager.thread.pool.size|int|2|read-only|[1,...]|medium
        remote.log.manager.copier.thread.pool.size|int|10|cluster-wide|[1,...]|medium
        remote.log.manager.expiration.thread.pool.size|int|10|cluster-wide|[1,...]|medium
        remote.log.manager.follower.thread.pool.size|int|2|cluster-wide|[1,...]|medium
        remote.log.manager.task.interval.ms|long|30000|read-only|[1,...]|low
        remote.log.manager.task.retry.backoff.ms|long|500|read-only|[1,...]|internal
        remote.log.manager.task.retry.backoff.max.ms|long|30000|read-only|[1,...]|internal
        remote.log.manager.task.retry.jitter|double|0.2|read-only|[0,...,0.5]|internal
        remote.log.reader.threads|int|10|cluster-wide|[1,...]|medium
        remote.log.reader.max.pending.tasks|int|100|read-only|[1,...]|medium
        log.local.retention.ms|long|-2|cluster-wide|[-2,...]|medium
        log.local.retention.bytes|long|-2|cluster-wide|[-2,...]|medium
        remote.log.manager.copy.max.bytes.per.second|long|9223372036854775807|cluster-wide|[1,..\#
        .]|medium
        remote.log.manager.copy.quota.window.num|int|11|read-only|[1,...]|medium
        remote.log.manager.copy.quota.window.size.seconds|int|1|read-only|[1,...]|medium
        remote.log.manager.fetch.max.bytes.per.second|long|9223372036854775807|cluster-wide|[1,.\#
        ..]|medium
        remote.log.manager.fetch.quota.window.num|int|11|read-only|[1,...]|medium
        remote.log.manager.fetch.quota.window.size.seconds|int|1|read-only|[1,...]|medium
        remote.fetch.max.wait.ms|int|500|cluster-wide|[1,...]|medium
        remote.list.offsets.request.timeout.ms|long|30000|cluster-wide|[1,...]|medium
        log.cleaner.threads|int|1|cluster-wide|[0,...]|medium
        log.cleaner.io.max.bytes.per.second|double|1.7976931348623157E308|cluster-wide|-|medium
        log.cleaner.dedupe.buffer.size|long|134217728|cluster-wide|-|medium
        log.cleaner.io.buffer.size|int|524288|cluster-wide|[0,...]|medium
        log.cleaner.io.buffer.load.factor|double|0.9|cluster-wide|-|medium
        log.cleaner.backoff.ms|long|15000|cluster-wide|[0,...]|medium
          Time that the cleaner sleeps when there is nothing to clean.
        log.cleaner.min.cleanable.ratio|double|0.5|cluster-wide|[0,...,1]|medium
          Share of uncleaned bytes above which a log is compacted.
        log.cleaner.enable|boolean|true|read-only|-|medium
        log.cleaner.delete.retention.ms|long|86400000|cluster-wide|[0,...]|medium
          How long tombstones stay in a compacted topic.
        log.cleaner.min.compaction.lag.ms|long|0|cluster-wide|[0,...]|medium
          Age below which a record is not compacted.
        log.cleaner.max.compaction.lag.ms|long|9223372036854775807|cluster-wide|[1,...]|medium
          Age above which a record is compacted whatever the dirty ratio.
        log.dir|list|/tmp/kafka-logs|read-only|-|high
          The data directory, where log.dirs is not set.
        log.dirs|list|null|read-only|-|high
          The data directories, separated by commas.
        cordoned.log.dirs|list||per-broker|-|medium
        log.segment.bytes|int|1073741824|cluster-wide|[1048576,...]|high
          Size at which a segment is closed and a new one begun.
        log.roll.ms|long|null|cluster-wide|-|high
          Age at which a segment is closed, in milliseconds.
        log.roll.hours|int|168|read-only|[1,...]|high
          Age at which a segment is closed, in hours, where log.roll.ms is not set.
        log.roll.jitter.ms|long|null|cluster-wide|-|high
          The most that is taken off log.roll.ms at random, so that segments do not roll
          together.
        log.roll.jitter.hours|int|0|read-only|[0,...]|high
          The same as log.roll.jitter.ms, in hours.
        log.retention.ms|long|null|cluster-wide|-|high
          How long closed segments are kept, in milliseconds; -1: for ever.
        log.retention.minutes|int|null|read-only|-|high
          How long closed segments are kept, in minutes, where log.retention.ms is not set.
        log.retention.hours|int|168|read-only|-|high
          How long closed segments are kept, in hours, where neither of the others is set.
        log.retention.bytes|long|-1|cluster-wide|-|high
          Size of a partition above which its oldest segments go; -1: no limit.
        log.retention.check.interval.ms|long|300000|read-only|[1,...]|medium
          Time between two looks for segments to delete.
        log.cleanup.policy|list|delete|cluster-wide|[compact, delete]|medium
          What happens to old segments: delete, compact, or both.
        log.index.size.max.bytes|int|10485760|cluster-wide|[4,...]|medium
          The largest offset or time index of a segment.
        log.index.interval.bytes|int|4096|cluster-wide|[0,...]|medium
          Bytes of log between two entries of the indexes.
        log.flush.interval.messages|long|9223372036854775807|cluster-wide|[1,...]|high
          Records after which a partition is flushed to disk; 1 flushes before acknowledging.
        log.segment.delete.delay.ms|long|60000|cluster-wide|[0,...]|high
          Time between a file's renaming to .deleted and its removal.
        log.flush.scheduler.interval.ms|long|9223372036854775807|read-only|-|high
          Time between two looks for partitions to flush.
        log.flush.interval.ms|long|null|cluster-wide|-|high
          Time after which a partition with unflushed records is flushed.
        log.flush.offset.checkpoint.interval.ms|int|60000|read-only|[0,...]|high
          Time between two writes of the recovery point checkpoint.
        log.flush.start.offset.checkpoint.interval.ms|int|60000|read-only|[0,...]|high
          Time between two writes of the log start offset checkpoint.
        log.preallocate|boolean|false|cluster-wide|-|medium
          Whether a new segment's space is reserved at once.
        num.recovery.threads.per.data.dir|int|2|cluster-wide|[1,...]|high
        log.message.timestamp.type|string|CreateTime|cluster-wide|[CreateTime, LogAppendTime]|\#
        medium
          Whether records bear the producer's time or that of the append.
        log.message.timestamp.before.max.ms|long|9223372036854775807|cluster-wide|[0,...]|medium
          How far a record's timestamp may lie behind the node's clock.
        log.message.timestamp.after.max.ms|long|3600000|cluster-wide|[0,...]|medium
          How far a record's timestamp may lie ahead of the node's clock.
        log.dir.failure.timeout.ms|long|30000|read-only|[1,...]|low
        log.initial.task.delay.ms|long|30000|read-only|[0,...]|internal
          Time after the start until the log's periodic work begins.
        producer.id.expiration.ms|int|86400000|cluster-wide|[1,...]|low
          A producer's sequence state is forgotten after this long without a batch.
        producer.id.expiration.check.interval.ms|int|600000|read-only|[1,...]|internal
        """#
}
