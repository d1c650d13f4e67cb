internal import MillraceBase
package import MillraceRecords

/// Reads the batches of a coordinator's log: record by record, with the transactions they belong
/// to.
package enum CoordinatorLogReader {
    /// What the log says.
    package enum Entry: Equatable, Sendable {
        case record(CoordinatorRecord, transaction: Int64?)
        /// A marker: the producer's transaction ended.
        case end(transaction: Int64, isCommit: Bool)
    }

    /// How many bytes a batch may have once it is decompressed.
    private static let inflatedMax = 256 << 20

    /// Reads whole batches.
    ///
    /// - Parameters:
    ///   - bytes: batches, the last of which may be cut.
    ///   - offset: records before it are left out.
    /// - Returns: the offset after the last whole batch.
    package static func read(
        _ bytes: UnsafeRawBufferPointer, from offset: Int64, contexts: CodecContexts,
        _ body: (Entry) -> Void
    ) throws(RecordsError) -> Int64 {
        var next = offset
        var position = 0
        while bytes.count - position >= RecordBatchHeader.size {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
            let length = rest.loadUnaligned(fromByteOffset: 8, as: Int32.self).bigEndian
            guard length >= 0, Int(length) + RecordBatchHeader.overhead <= rest.count else { break }
            let header = try RecordBatchHeader(reading: rest)
            let batch = UnsafeRawBufferPointer(rebasing: rest[..<header.byteCount])
            position += header.byteCount
            if header.nextOffset.rawValue > offset {
                try read(header, batch, from: offset, contexts, body)
                next = header.nextOffset.rawValue
            }
        }
        return next
    }

    private static func read(
        _ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer, from offset: Int64,
        _ contexts: CodecContexts, _ body: (Entry) -> Void
    ) throws(RecordsError) {
        let transaction = header.attributes.isTransactional ? header.producerID : nil
        try RecordPayload.withRecords(
            of: header, in: batch, contexts: contexts, limit: inflatedMax
        ) { payload throws(RecordsError) in
            var records = RecordIterator(payload: payload, count: header.recordCount)
            while let record = try records.next() {
                guard header.baseOffset.rawValue + Int64(record.offsetDelta) >= offset,
                    let key = record.key
                else { continue }
                if header.attributes.isControl {
                    // Key: int16 version, int16 type; 0 aborts, 1 commits.
                    guard key.count >= 4, let transaction else { continue }
                    body(.end(transaction: transaction, isCommit: key[2] == 0 && key[3] == 1))
                } else {
                    body(
                        .record(
                            CoordinatorRecord(key: Array(key), value: record.value.map(Array.init)),
                            transaction: transaction))
                }
            }
        }
    }
}
