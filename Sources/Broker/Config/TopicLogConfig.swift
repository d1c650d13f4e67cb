internal import MillraceRecords
package import Storage

extension LogConfig {
    /// The log settings of a topic: its own over the broker's.
    package init(topic overrides: [String: String], view: BrokerConfigView) {
        self.init()
        func integer(_ name: String) -> Int64? {
            if case .integer(let value)? = view.topicValue(name, overrides: overrides) {
                return value
            }
            return nil
        }
        segmentBytes = integer("internal.segment.bytes") ?? integer("segment.bytes") ?? segmentBytes
        segmentMs = integer("segment.ms") ?? segmentMs
        segmentJitterMs = integer("segment.jitter.ms") ?? segmentJitterMs
        indexBytesMax = integer("segment.index.bytes").map { Int($0) } ?? indexBytesMax
        indexIntervalBytes = integer("index.interval.bytes").map { Int($0) } ?? indexIntervalBytes
        retentionBytes = integer("retention.bytes") ?? retentionBytes
        retentionMs = integer("retention.ms") ?? retentionMs
        fileDeleteDelayMs = integer("file.delete.delay.ms") ?? fileDeleteDelayMs
        flushMessages = integer("flush.messages") ?? flushMessages
        flushMs = integer("flush.ms") ?? flushMs
        batchBytesMax = integer("max.message.bytes").map { Int($0) } ?? batchBytesMax
        timestampBeforeMaxMs = integer("message.timestamp.before.max.ms") ?? timestampBeforeMaxMs
        timestampAfterMaxMs = integer("message.timestamp.after.max.ms") ?? timestampAfterMaxMs
        isLogAppendTime =
            view.topicValue("message.timestamp.type", overrides: overrides)
            == .text("LogAppendTime")
        if case .list(let policies)? = view.topicValue("cleanup.policy", overrides: overrides) {
            deletes = policies.contains("delete")
            compacts = policies.contains("compact")
        }
        let type = view.topicValue("compression.type", overrides: overrides)?.text ?? "producer"
        codec = Self.codec(named: type)
        if codec != nil, let level = integer("compression.\(type).level") {
            compressionLevel = Int32(clamping: level)
        }
        if case .integer(let bytes)? = view.value("millrace.batch.inflated.max.bytes") {
            inflatedBytesMax = Int(bytes)
        }
        if case .integer(let expiration)? = view.value("producer.id.expiration.ms") {
            producerExpirationMs = expiration
        }
    }

    private static func codec(named name: String) -> CompressionCodec? {
        switch name {
        case "uncompressed": CompressionCodec.none
        case "gzip": .gzip
        case "snappy": .snappy
        case "lz4": .lz4
        case "zstd": .zstd
        default: nil
        }
    }
}
