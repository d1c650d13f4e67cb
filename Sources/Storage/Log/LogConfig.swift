package import MillraceRecords

/// The settings of a topic that its logs use; names and defaults are Kafka's topic settings.
package struct LogConfig: Hashable, Sendable {
    /// `segment.bytes`
    package var segmentBytes: Int64 = 1 << 30
    /// `segment.ms`
    package var segmentMs: Int64 = 604_800_000
    /// `segment.jitter.ms`: a segment is rolled up to this much earlier.
    package var segmentJitterMs: Int64 = 0
    /// `segment.index.bytes`: of each index file.
    package var indexBytesMax: Int = 10 << 20
    /// `index.interval.bytes`
    package var indexIntervalBytes: Int = 4096
    /// `retention.bytes`; −1: no limit.
    package var retentionBytes: Int64 = -1
    /// `retention.ms`; −1: no limit.
    package var retentionMs: Int64 = 604_800_000
    /// `file.delete.delay.ms`
    package var fileDeleteDelayMs: Int64 = 60_000
    /// `flush.messages`
    package var flushMessages: Int64 = .max
    /// `flush.ms`
    package var flushMs: Int64 = .max
    /// `cleanup.policy` has `delete`.
    package var deletes = true
    /// `cleanup.policy` has `compact`.
    package var compacts = false
    /// `max.message.bytes`
    package var batchBytesMax = 1_048_588
    /// `millrace.batch.inflated.max.bytes`, a setting of the broker.
    package var inflatedBytesMax = 64 << 20
    /// `compression.type`; nil is `producer`.
    package var codec: CompressionCodec?
    /// `compression.<type>.level`; nil is the codec's default.
    package var compressionLevel: Int32?
    /// `message.timestamp.type=LogAppendTime`
    package var isLogAppendTime = false
    /// `message.timestamp.before.max.ms`
    package var timestampBeforeMaxMs: Int64 = .max
    /// `message.timestamp.after.max.ms`
    package var timestampAfterMaxMs: Int64 = 3_600_000
    /// `producer.id.expiration.ms`, a setting of the broker.
    package var producerExpirationMs: Int64 = 86_400_000

    package init() {}

    /// What the validator asks of produced batches.
    /// - Parameter partitionName: `topic-0`, for the texts of refusals.
    package func appendRules(partitionName: String) -> AppendRules {
        var rules = AppendRules()
        rules.codec = codec
        rules.compressionLevel = compressionLevel
        rules.isLogAppendTime = isLogAppendTime
        rules.isCompacted = compacts
        rules.timestampBeforeMaxMs = timestampBeforeMaxMs
        rules.timestampAfterMaxMs = timestampAfterMaxMs
        rules.batchBytesMax = batchBytesMax
        rules.decompressedBytesMax = inflatedBytesMax
        rules.partitionName = partitionName
        return rules
    }
}
