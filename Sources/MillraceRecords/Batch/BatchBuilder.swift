package import MillraceBase

/// Who wrote a batch, for idempotence and transactions. All −1: nobody in particular.
package struct BatchProducer: Hashable, Sendable {
    package var id: Int64
    package var epoch: Int16
    package var baseSequence: Int32

    package init(id: Int64, epoch: Int16, baseSequence: Int32) {
        self.id = id
        self.epoch = epoch
        self.baseSequence = baseSequence
    }

    package static let none = BatchProducer(id: -1, epoch: -1, baseSequence: -1)
}

/// Builds one batch of magic 2, record by record.
///
/// The base timestamp is the first record's; offsets are dense from the base offset unless a delta
/// is given. `finish` compresses, fills in the header and the CRC.
package struct BatchBuilder: ~Copyable {
    private var writer: ByteWriter
    private let baseOffset: Offset
    private let leaderEpoch: LeaderEpoch
    private let producer: BatchProducer
    private let isTransactional: Bool
    private let isControl: Bool
    private let isLogAppendTime: Bool
    private var baseTimestamp = Timestamp.none
    private var maxTimestamp = Timestamp.none
    private var lastOffsetDelta: Int32 = -1
    /// Records so far.
    package private(set) var count: Int32 = 0

    package init(
        baseOffset: Offset = .zero, leaderEpoch: LeaderEpoch = .none,
        producer: BatchProducer = .none,
        isTransactional: Bool = false, isControl: Bool = false, isLogAppendTime: Bool = false,
        capacity: Int = 1024
    ) {
        writer = ByteWriter(capacity: capacity)
        (self.baseOffset, self.leaderEpoch, self.producer) = (baseOffset, leaderEpoch, producer)
        (self.isTransactional, self.isControl) = (isTransactional, isControl)
        self.isLogAppendTime = isLogAppendTime
        writer.writeUninitialized(atMost: RecordBatchHeader.size) { space in
            space.initializeMemory(as: UInt8.self, repeating: 0)
            return space.count
        }
    }

    private init(copying other: borrowing BatchBuilder) {
        writer = other.writer.copy()
        (baseOffset, leaderEpoch, producer) = (other.baseOffset, other.leaderEpoch, other.producer)
        (isTransactional, isControl) = (other.isTransactional, other.isControl)
        isLogAppendTime = other.isLogAppendTime
        (baseTimestamp, maxTimestamp) = (other.baseTimestamp, other.maxTimestamp)
        (lastOffsetDelta, count) = (other.lastOffsetDelta, other.count)
    }

    /// Another builder with the same records.
    package borrowing func copy() -> BatchBuilder { BatchBuilder(copying: self) }

    /// Bytes so far, header included, uncompressed.
    package var byteCount: Int { writer.count }
    package var isEmpty: Bool { count == 0 }

    /// How many bytes a record adds at most.
    package static func bytesMax(
        key: Int, value: Int, headers: [RecordHeader] = []
    ) -> Int {
        guard !headers.isEmpty else { return key + value + 36 }
        return headers.reduce(key + value + 36) {
            $0 + $1.key.utf8.count + ($1.value?.count ?? 0) + 10
        }
    }

    /// Adds a record. Offsets and timestamps may fall, but not by more than a delta can hold.
    package mutating func append(
        timestamp: Timestamp, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        headers: [RecordHeader] = [], offsetDelta: Int32? = nil
    ) {
        let delta = offsetDelta ?? lastOffsetDelta + 1
        begin(at: timestamp, delta: delta)
        let timestampDelta = timestamp.rawValue &- baseTimestamp.rawValue
        var length = 1 + Self.size(varlong: timestampDelta) + Self.size(varint: delta)
        length += Self.size(nullable: key?.count) + Self.size(nullable: value?.count)
        length += Self.size(varint: Int32(headers.count))
        for header in headers {
            let keyCount = header.key.utf8.count
            length += Self.size(nullable: keyCount) + Self.size(nullable: header.value?.count)
        }
        writer.writeVarint(Int32(length))
        writer.writeInteger(0 as Int8)
        writer.writeVarlong(timestampDelta)
        writer.writeVarint(delta)
        writeNullable(key)
        writeNullable(value)
        writer.writeVarint(Int32(headers.count))
        for header in headers { write(header) }
    }

    /// Adds a record from arrays.
    package mutating func append(
        timestamp: Timestamp, key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader] = [],
        offsetDelta: Int32? = nil
    ) {
        withOptionalBytes(of: key) { key in
            withOptionalBytes(of: value) { value in
                append(
                    timestamp: timestamp, key: key, value: value, headers: headers,
                    offsetDelta: offsetDelta)
            }
        }
    }

    private mutating func begin(at timestamp: Timestamp, delta: Int32) {
        precondition(count < Int32.max, "a batch counts its records in 32 bits")
        if count == 0 { baseTimestamp = timestamp }
        maxTimestamp = max(maxTimestamp, timestamp)
        lastOffsetDelta = max(lastOffsetDelta, delta)
        count += 1
    }

    private mutating func writeNullable(_ bytes: UnsafeRawBufferPointer?) {
        guard let bytes else { return writer.writeVarint(-1) }
        writer.writeVarint(Int32(bytes.count))
        writer.writeBytes(bytes)
    }

    private mutating func write(_ header: RecordHeader) {
        writer.writeVarint(Int32(header.key.utf8.count))
        writer.writeText(header.key)
        guard let value = header.value else { return writer.writeVarint(-1) }
        writer.writeVarint(Int32(value.count))
        writer.writeBytes(value)
    }

    /// The finished batch.
    ///
    /// - Parameters:
    ///   - level: of the codec; nil is Kafka's default.
    ///   - maxTimestamp: overrides the records' own, for LogAppendTime.
    ///   - producer: who is known only now.
    package consuming func finish(
        codec: CompressionCodec = .none, level: Int32? = nil, contexts: CodecContexts? = nil,
        maxTimestamp override: Timestamp? = nil, producer late: BatchProducer? = nil
    ) -> [UInt8] {
        let producer = late ?? self.producer
        let attributes = BatchAttributes(
            codec: codec, isLogAppendTime: isLogAppendTime, isTransactional: isTransactional,
            isControl: isControl)
        if codec != .none { compress(codec, level: level, contexts: contexts ?? CodecContexts()) }
        let maxTimestamp = override ?? self.maxTimestamp
        writer.overwriteInteger(baseOffset.rawValue, at: 0)
        writer.overwriteInteger(Int32(writer.count - RecordBatchHeader.overhead), at: 8)
        writer.overwriteInteger(leaderEpoch.rawValue, at: 12)
        writer.overwriteInteger(2 as Int8, at: 16)
        writer.overwriteInteger(attributes.rawValue, at: 21)
        writer.overwriteInteger(max(lastOffsetDelta, 0), at: 23)
        writer.overwriteInteger(baseTimestamp.rawValue, at: 27)
        writer.overwriteInteger(maxTimestamp.rawValue, at: 35)
        writer.overwriteInteger(producer.id, at: 43)
        writer.overwriteInteger(producer.epoch, at: 51)
        writer.overwriteInteger(producer.baseSequence, at: 53)
        writer.overwriteInteger(count, at: 57)
        let total = writer.count
        writer.withMutableBytes { RecordBatchHeader.restampCRC($0, byteCount: total) }
        return writer.array()
    }

    private mutating func compress(
        _ codec: CompressionCodec, level: Int32?, contexts: CodecContexts
    ) {
        var compressed = ByteWriter(capacity: writer.count / 2 + 256)
        writer.withBytes { bytes in
            let records = UnsafeRawBufferPointer(rebasing: bytes[RecordBatchHeader.size...])
            compressed.writeBytes(
                UnsafeRawBufferPointer(rebasing: bytes[..<RecordBatchHeader.size]))
            contexts.compress(records, codec: codec, level: level, into: &compressed)
        }
        swap(&writer, &compressed)
    }

    private static func size(varint value: Int32) -> Int { size(varlong: Int64(value)) }

    private static func size(varlong value: Int64) -> Int {
        let zigZag = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        return max(1, (70 - zigZag.leadingZeroBitCount) / 7)
    }

    /// Of a length that may be null, and the bytes that it counts.
    private static func size(nullable count: Int?) -> Int {
        guard let count else { return 1 }
        return size(varlong: Int64(count)) + count
    }
}

private func withOptionalBytes(
    of array: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> Void
) {
    guard let array else { return body(nil) }
    array.withUnsafeBytes { body($0) }
}
