package import MillraceBase
package import MillraceRecords

/// How a producer gathers and sends. Names and defaults are Kafka's where it has them.
package struct ProducerSettings: Equatable, Sendable {
    /// −1 (all in-sync replicas), 0 (no answer) or 1.
    package var acks: Int16 = -1
    /// Each batch carries id and sequence, so that a repeat is not written twice. Needs acks −1.
    package var isIdempotent = true
    package var codec = CompressionCodec.none
    /// A batch is sent when it is this old …
    package var linger: Duration = .milliseconds(5)
    /// … or its records have this many bytes.
    package var batchBytes = 16 * 1024
    /// Records waiting or on their way, in bytes; more are refused.
    package var bufferBytes = 32 << 20
    /// One request, in bytes.
    package var requestBytes = 1 << 20
    /// From `send` to the last attempt.
    package var deliveryTimeout: Duration = .seconds(120)
    /// What a broker may take for one request.
    package var requestTimeoutMs: Int32 = 30_000
    /// Requests on their way to one broker.
    package var inFlightMax = 5
    package var backoff = Backoff()

    package init() {}
}

/// A record to be sent.
package struct ProducerRecord: Equatable, Sendable {
    package var topic: String
    /// Nil: by the key's hash, or whichever is being filled.
    package var partition: Int32?
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [RecordHeader]
    /// `none`: when it was handed over.
    package var timestamp: Timestamp

    package init(
        topic: String, partition: Int32? = nil, key: [UInt8]? = nil, value: [UInt8]?,
        headers: [RecordHeader] = [], timestamp: Timestamp = .none
    ) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }

    /// What it takes of the buffer: an upper bound of its encoded size.
    package var byteCount: Int {
        BatchBuilder.bytesMax(key: key?.count ?? 0, value: value?.count ?? 0, headers: headers)
    }

    /// Splits records so that none of the parts takes much of a buffer.
    /// - Parameter bytesMax: of a part, unless its only record takes more.
    /// - Returns: the parts in order, and what each takes.
    package static func parts(
        of records: [ProducerRecord], bytesMax: Int
    ) -> [(range: Range<Int>, byteCount: Int)] {
        var parts: [(Range<Int>, Int)] = []
        var start = 0
        var size = 0
        for index in records.indices {
            let own = records[index].byteCount
            if index > start, index - start == 1000 || size + own > bytesMax {
                parts.append((start..<index, size))
                (start, size) = (index, 0)
            }
            size += own
        }
        if start < records.count { parts.append((start..<records.count, size)) }
        return parts
    }
}

/// What became of some records of one partition that travelled together.
package struct Delivery: Equatable, Sendable {
    package var partition: NamedPartition
    /// Tickets of the records, in their order.
    package var tickets: [UInt64]
    /// What they took of the buffer.
    package var byteCount: Int
    /// From the first record's hand-over to this outcome.
    package var latency: Duration
    /// The first record's offset (−1: not known), or why they are lost.
    package var result: Result<Offset, ClientError>

    package init(
        partition: NamedPartition, tickets: [UInt64], byteCount: Int, latency: Duration = .zero,
        result: Result<Offset, ClientError>
    ) {
        self.partition = partition
        self.tickets = tickets
        self.byteCount = byteCount
        self.latency = latency
        self.result = result
    }
}
