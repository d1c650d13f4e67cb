internal import MillraceProtocol
internal import MillraceRecords
internal import Storage

// The one place where faults and refusals become the protocol's error codes.

extension RecordsError {
    /// The code that a Produce answer bears.
    var errorCode: ErrorCode {
        switch self {
        case .corrupt, .undecodable: .corruptMessage
        case .refused, .invalid: .invalidRecord
        case .timestampsOutOfRange: .invalidTimestamp
        case .tooLarge, .inflatesBeyond: .messageTooLarge
        case .unknownCodec: .unsupportedCompressionType
        }
    }

    /// Whether the log was asked before the batch was refused: then the answer names its start.
    var isFoundByLog: Bool {
        switch self {
        case .corrupt, .refused, .tooLarge: false
        case .invalid, .timestampsOutOfRange, .unknownCodec, .undecodable, .inflatesBeyond: true
        }
    }

    /// The records refused, one by one.
    var refusals: [RecordRefusal] {
        switch self {
        case .invalid(_, let records), .timestampsOutOfRange(let records): records
        default: []
        }
    }

    /// A sentence for the client.
    var text: String {
        switch self {
        case .corrupt(let text), .refused(let text), .invalid(let text, _): text
        case .timestampsOutOfRange: "One or more records have been rejected due to their timestamps"
        case .tooLarge(let bytes, let limit):
            "The batch has \(bytes) bytes, the topic takes \(limit) (max.message.bytes)"
        case .unknownCodec(let number): "Codec \(number) does not exist"
        case .undecodable(let codec): "The records cannot be read as \(codec.name)"
        case .inflatesBeyond(let limit): "The records are over \(limit) bytes once decompressed"
        }
    }
}

extension AppendRefusal {
    /// The code that a Produce answer bears.
    var errorCode: ErrorCode {
        switch self {
        case .outOfOrderSequence: .outOfOrderSequenceNumber
        case .invalidProducerEpoch: .invalidProducerEpoch
        case .transactionOpen: .invalidTxnState
        case .unexpectedOffset: .unknownServerError
        case .largerThanSegment: .recordListTooLarge
        }
    }
}

extension StorageError {
    /// The code that an answer bears: clients look for another leader.
    var errorCode: ErrorCode { .kafkaStorageError }
}
