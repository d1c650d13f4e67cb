package import MillraceBase
package import MillraceClientCore
package import MillraceRecords

/// A record that was read.
package struct ConsumerRecord: Equatable, Sendable {
    package var partition: NamedPartition
    package var offset: Offset
    package var timestamp: Timestamp
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [RecordHeader]
}

/// Reads records out of fetched batches.
enum RecordDecoder {
    /// What one batch may become when it is decompressed.
    static let inflatedMax = 256 << 20

    /// The records from `fetched.from` on; those that mark ends of transactions are left out.
    /// - Throws: `.malformed` for a wrong CRC or records that cannot be read.
    static func records(
        of fetched: FetchedRecords, contexts: CodecContexts
    ) throws(ClientError) -> [ConsumerRecord] {
        let result = fetched.bytes.withUnsafeBytes {
            bytes -> Result<[ConsumerRecord], ClientError> in
            var records: [ConsumerRecord] = []
            do throws(RecordsError) {
                var batches = BatchIterator(bytes)
                while let (header, batch) = try batches.next() {
                    try header.checkCRC(batch)
                    guard !header.attributes.isControl else { continue }
                    try read(header, batch, fetched, contexts, into: &records)
                }
                return .success(records)
            } catch {
                return .failure(.malformed("records of \(fetched.partition): \(error)"))
            }
        }
        return try result.get()
    }

    private static func read(
        _ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer, _ fetched: FetchedRecords,
        _ contexts: CodecContexts, into records: inout [ConsumerRecord]
    ) throws(RecordsError) {
        try RecordPayload.withRecords(
            of: header, in: batch, contexts: contexts, limit: inflatedMax
        ) { payload throws(RecordsError) in
            var iterator = RecordIterator(payload: payload, count: header.recordCount)
            while let view = try iterator.next() {
                let offset = header.baseOffset + Int64(view.offsetDelta)
                guard offset >= fetched.from else { continue }
                let time =
                    header.attributes.isLogAppendTime
                    ? header.maxTimestamp.rawValue
                    : header.baseTimestamp.rawValue &+ view.timestampDelta
                records.append(
                    ConsumerRecord(
                        partition: fetched.partition, offset: offset, timestamp: Timestamp(time),
                        key: view.key.map(Array.init), value: view.value.map(Array.init),
                        headers: view.headerCount > 0 ? try view.headers() : []))
            }
        }
    }
}
