package import MillraceBase

/// What a topic asks of the batches that are produced to it.
package struct AppendRules: Hashable, Sendable {
    /// Nil is `compression.type=producer`: batches stay as they came.
    package var codec: CompressionCodec?
    /// Level for re-encoding; nil is Kafka's default.
    package var compressionLevel: Int32?
    package var isLogAppendTime = false
    /// Compacted topics take no record without a key.
    package var isCompacted = false
    package var timestampBeforeMaxMs: Int64 = .max
    package var timestampAfterMaxMs: Int64 = 3_600_000
    /// `max.message.bytes`: of a batch as it comes, compressed, and as it is stored.
    package var batchBytesMax = 1_048_588
    /// `millrace.batch.inflated.max.bytes`: how many bytes a batch may have once decompressed.
    package var decompressedBytesMax = 64 << 20
    /// For the texts of refusals, as Kafka writes it: `topic-0`.
    package var partitionName = ""

    package init() {}

    /// The times that records may bear.
    func timestampRange(now: Timestamp) -> ClosedRange<Int64> {
        let (earliest, low) = now.rawValue.subtractingReportingOverflow(timestampBeforeMaxMs)
        let (latest, high) = now.rawValue.addingReportingOverflow(timestampAfterMaxMs)
        let first = low ? Int64.min : earliest
        return first...max(first, high ? Int64.max : latest)
    }
}

/// A produced batch that was found good: what the log needs to know of it.
package struct ValidatedBatch: Sendable {
    /// The header as it now stands in the bytes, but for offset and leader epoch.
    package var header: RecordBatchHeader
    /// The whole batch anew if it had to be encoded again; nil if the bytes given serve, patched.
    package var replacement: [UInt8]?
    /// Delta of the first record that bears the largest timestamp.
    package var maxTimestampOffsetDelta: Int32
}

/// Checks what a client produced, as Kafka's LogValidator does, and patches in place what the
/// broker decides: timestamp type and largest timestamp. Offset and leader epoch are stamped later.
package enum BatchValidator {
    /// Checks the form of a record set of a Produce request: exactly one batch of magic 2.
    ///
    /// - Returns: its header. Trailing bytes after the batch are ignored if they hold no batch.
    /// - Throws: `.corrupt` or `.refused`: what Kafka finds before it asks the log.
    package static func checkForm(
        _ bytes: UnsafeRawBufferPointer
    ) throws(RecordsError) -> RecordBatchHeader {
        guard !bytes.isEmpty else { throw .refused("a record set holds one batch, this one none") }
        let header = try RecordBatchHeader(reading: bytes)
        let rest = UnsafeRawBufferPointer(rebasing: bytes[header.byteCount...])
        guard rest.isEmpty || !holdsBatch(rest) else {
            throw .refused("a record set holds one batch, this one more")
        }
        return header
    }

    private static func holdsBatch(_ rest: UnsafeRawBufferPointer) -> Bool {
        (try? RecordBatchHeader(reading: rest)) != nil  // any error: no whole batch follows
    }

    /// Checks the batch at `bytes`' start against `rules`.
    ///
    /// - Parameters:
    ///   - header: from `checkForm`.
    ///   - bytes: the batch whole; patched in place.
    ///   - now: the wall clock.
    package static func validate(
        _ header: RecordBatchHeader, in bytes: UnsafeMutableRawBufferPointer, rules: AppendRules,
        now: Timestamp, contexts: CodecContexts
    ) throws(RecordsError) -> ValidatedBatch {
        let batch = UnsafeRawBufferPointer(rebasing: bytes[..<header.byteCount])
        guard batch.count <= rules.batchBytesMax else {
            throw .tooLarge(bytes: batch.count, limit: rules.batchBytesMax)
        }
        try header.checkCRC(batch)
        try checkHeader(header)
        let codec = try header.attributes.codec()
        let payload = UnsafeRawBufferPointer(rebasing: batch[RecordBatchHeader.size...])
        let target = rules.codec ?? codec
        if codec == .none {
            let scan = try RecordScan(payload, header: header, rules: rules, now: now)
            if target != .none {
                return try reencode(
                    payload, header, codec: target, scan: scan, rules, now: now, contexts)
            }
            return patch(header, bytes, scan: scan, rules, now: now)
        }
        let plain = try contexts.decompress(
            payload, codec: codec, limit: rules.decompressedBytesMax)
        return try RecordPayload.withBytes(of: plain) {
            records throws(RecordsError) -> ValidatedBatch in
            let scan = try RecordScan(records, header: header, rules: rules, now: now)
            if target != codec || !scan.isDense {
                return try reencode(
                    records, header, codec: target, scan: scan, rules, now: now, contexts)
            }
            return patch(header, bytes, scan: scan, rules, now: now)
        }
    }

    private static func checkHeader(_ header: RecordBatchHeader) throws(RecordsError) {
        guard header.baseOffset == .zero else {
            throw .invalid(
                "a produced batch begins at offset 0, not \(header.baseOffset.rawValue)",
                records: [])
        }
        guard header.recordCount > 0, header.lastOffsetDelta >= 0,
            Int64(header.lastOffsetDelta) + 1 == Int64(header.recordCount)
        else {
            throw .invalid(
                "\(header.recordCount) records cannot end at delta \(header.lastOffsetDelta)",
                records: [])
        }
        guard !header.attributes.isControl else {
            throw .invalid("clients do not write control batches", records: [])
        }
        // An epoch of -1 is taken, as by Kafka.
        guard !header.hasProducerID || header.baseSequence >= 0 else {
            throw .invalid("a batch with a producer id has a sequence", records: [])
        }
    }

    /// Sets timestamp type and largest timestamp where they differ, and then the CRC.
    private static func patch(
        _ header: RecordBatchHeader, _ bytes: UnsafeMutableRawBufferPointer, scan: RecordScan,
        _ rules: AppendRules, now: Timestamp
    ) -> ValidatedBatch {
        var patched = header
        patched.maxTimestamp = rules.isLogAppendTime ? now : scan.maxTimestamp
        if rules.isLogAppendTime {
            patched.attributes.rawValue |= 1 << 3
        } else {
            patched.attributes.rawValue &= ~(1 << 3)
        }
        if patched != header {
            bytes.storeBytes(
                of: patched.attributes.rawValue.bigEndian, toByteOffset: 21, as: Int16.self)
            bytes.storeBytes(
                of: patched.maxTimestamp.rawValue.bigEndian, toByteOffset: 35, as: Int64.self)
            RecordBatchHeader.restampCRC(bytes, byteCount: header.byteCount)
            let crc = bytes.loadUnaligned(fromByteOffset: 17, as: UInt32.self)
            patched.crc = UInt32(bigEndian: crc)
        }
        return ValidatedBatch(
            header: patched, replacement: nil,
            maxTimestampOffsetDelta: rules.isLogAppendTime
                ? header.lastOffsetDelta : scan.maxTimestampOffsetDelta)
    }

    /// Writes the batch anew with dense offsets in `codec`. The records were scanned and read well.
    private static func reencode(
        _ records: UnsafeRawBufferPointer, _ header: RecordBatchHeader, codec: CompressionCodec,
        scan: RecordScan, _ rules: AppendRules, now: Timestamp, _ contexts: CodecContexts
    ) throws(RecordsError) -> ValidatedBatch {
        var builder = BatchBuilder(
            producer: BatchProducer(
                id: header.producerID, epoch: header.producerEpoch,
                baseSequence: header.baseSequence),
            isTransactional: header.attributes.isTransactional,
            isLogAppendTime: rules.isLogAppendTime,
            capacity: records.count + RecordBatchHeader.size + 64)
        var iterator = RecordIterator(payload: records, count: header.recordCount)
        while true {
            let view: RecordView?
            let headers: [RecordHeader]
            do throws(RecordsError) {
                view = try iterator.next()
                headers = try view?.headers() ?? []
            } catch {
                preconditionFailure("records that were scanned read again: \(error)")
            }
            guard let view else { break }
            builder.append(
                timestamp: header.timestamp(of: view), key: view.key, value: view.value,
                headers: headers)
        }
        let batch = builder.finish(
            codec: codec, level: codec == rules.codec ? rules.compressionLevel : nil,
            contexts: contexts, maxTimestamp: rules.isLogAppendTime ? now : scan.maxTimestamp)
        // As Kafka asks again of a batch whose size has changed.
        guard batch.count <= rules.batchBytesMax else {
            throw .tooLarge(bytes: batch.count, limit: rules.batchBytesMax)
        }
        let encoded = batch.withUnsafeBytes { bytes in
            // Our own builder's header reads well; an error here would be a bug of ours.
            try? RecordBatchHeader(reading: bytes)
        }
        guard let encoded else { preconditionFailure("a batch that was built can be read") }
        return ValidatedBatch(
            header: encoded, replacement: batch,
            maxTimestampOffsetDelta: rules.isLogAppendTime
                ? header.lastOffsetDelta : scan.maxTimestampOffsetDelta)
    }
}

extension RecordBatchHeader {
    /// The time of a record of this batch. Saturates: deltas come from outside.
    package func timestamp(of record: RecordView) -> Timestamp {
        guard !attributes.isLogAppendTime else { return maxTimestamp }
        let (sum, overflow) = baseTimestamp.rawValue.addingReportingOverflow(record.timestampDelta)
        return Timestamp(overflow ? (record.timestampDelta < 0 ? .min : .max) : sum)
    }
}

/// One walk over a batch's records: it checks keys and timestamps, and finds what the header must
/// say.
struct RecordScan {
    private(set) var maxTimestamp = Timestamp.none
    private(set) var maxTimestampOffsetDelta: Int32 = 0
    /// Whether offset deltas are 0, 1, 2, …
    private(set) var isDense = true

    init(
        _ payload: UnsafeRawBufferPointer, header: RecordBatchHeader, rules: AppendRules,
        now: Timestamp
    ) throws(RecordsError) {
        // A client's LogAppendTime flag means nothing: its records bear their own times.
        var header = header
        header.attributes.rawValue &= ~(1 << 3)
        var iterator = RecordIterator(payload: payload, count: header.recordCount)
        var refused = Refusals()
        let range = rules.timestampRange(now: now)
        var index: Int32 = 0
        while let record = try iterator.next() {
            let timestamp = header.timestamp(of: record)
            if record.offsetDelta != index { isDense = false }
            if timestamp > maxTimestamp {
                (maxTimestamp, maxTimestampOffsetDelta) = (timestamp, index)
            }
            if rules.isCompacted, record.key == nil { refused.addKeyless(index, rules) }
            if !rules.isLogAppendTime, timestamp != .none, !range.contains(timestamp.rawValue) {
                refused.addTimestamp(timestamp, index, range)
            }
            index += 1
        }
        guard !iterator.hasTrailingBytes else {
            throw .invalid("bytes follow the batch's last record", records: [])
        }
        try refused.throwIfAny()
    }

    /// Refused records, a bounded number of them.
    private struct Refusals {
        private static let most = 1_000
        private var keyless: [RecordRefusal] = []
        private var timestamps: [RecordRefusal] = []

        mutating func addKeyless(_ index: Int32, _ rules: AppendRules) {
            guard keyless.count < Self.most else { return }
            let message =
                "Compacted topic cannot accept message without key in topic partition "
                + rules.partitionName
            keyless.append(RecordRefusal(batchIndex: index, message: message))
        }

        mutating func addTimestamp(
            _ timestamp: Timestamp, _ index: Int32, _ range: ClosedRange<Int64>
        ) {
            guard timestamps.count < Self.most else { return }
            let message =
                "Timestamp \(timestamp.rawValue) of message with offset \(index) is out of range. "
                + "The timestamp should be within [\(range.lowerBound), \(range.upperBound)]"
            timestamps.append(RecordRefusal(batchIndex: index, message: message))
        }

        func throwIfAny() throws(RecordsError) {
            if !keyless.isEmpty {
                throw .invalid("One or more records have been rejected", records: keyless)
            }
            if !timestamps.isEmpty { throw .timestampsOutOfRange(timestamps) }
        }
    }
}
