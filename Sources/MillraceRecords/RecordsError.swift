/// Why a record cannot be taken: one element of `RecordErrors` in a Produce answer.
package struct RecordRefusal: Hashable, Sendable {
    /// Index of the record in its batch.
    package var batchIndex: Int32
    package var message: String

    package init(batchIndex: Int32, message: String) {
        self.batchIndex = batchIndex
        self.message = message
    }
}

/// Why record bytes are refused. The broker maps each case to one error code.
package enum RecordsError: Error, Hashable, Sendable {
    /// Magic, size or CRC are wrong: CORRUPT_MESSAGE.
    case corrupt(String)
    /// The record set as a whole cannot be produced, found before the log is asked: INVALID_RECORD.
    case refused(String)
    /// A batch's header or records contradict each other or the topic: INVALID_RECORD.
    case invalid(String, records: [RecordRefusal])
    /// Records whose timestamps are too old or too far ahead: INVALID_TIMESTAMP.
    case timestampsOutOfRange([RecordRefusal])
    /// The batch is larger than the topic allows: RECORD_TOO_LARGE.
    case tooLarge(bytes: Int, limit: Int)
    /// The attributes name no codec that exists: UNSUPPORTED_COMPRESSION_TYPE.
    case unknownCodec(Int8)
    /// Compressed bytes cannot be read: CORRUPT_MESSAGE.
    case undecodable(CompressionCodec)
    /// Decompressed, the records are more than the bound: RECORD_TOO_LARGE. A bomb, most likely.
    case inflatesBeyond(limit: Int)
}
