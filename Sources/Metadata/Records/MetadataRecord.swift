internal import MillraceBase
package import MillraceProtocol

/// One record of the metadata log. Kinds that the image gives no meaning to (ACLs, SCRAM
/// credentials, quotas, tokens, and what later versions bring) are kept as bytes.
package enum MetadataRecord: Equatable, Sendable {
    case registerBroker(RegisterBrokerRecord)
    case unregisterBroker(UnregisterBrokerRecord)
    case fenceBroker(FenceBrokerRecord)
    case unfenceBroker(UnfenceBrokerRecord)
    case brokerRegistrationChange(BrokerRegistrationChangeRecord)
    case registerController(RegisterControllerRecord)
    case topic(TopicRecord)
    case removeTopic(RemoveTopicRecord)
    case partition(PartitionRecord)
    case partitionChange(PartitionChangeRecord)
    case clearElr(ClearElrRecord)
    case config(ConfigRecord)
    case featureLevel(FeatureLevelRecord)
    case producerIDs(ProducerIdsRecord)
    case noOp(NoOpRecord)
    case beginTransaction(BeginTransactionRecord)
    case endTransaction(EndTransactionRecord)
    case abortTransaction(AbortTransactionRecord)
    case other(OpaqueRecord)

    /// Reads a record as it lies in a batch's value.
    package init(_ bytes: [UInt8]) throws(MetadataError) {
        let result = bytes.withUnsafeBytes { buffer -> Result<MetadataRecord, CodecError> in
            do throws(CodecError) {
                return .success(try Self.read(buffer, whole: bytes))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let record): self = record
        case .failure(let error): throw .undecodable(error)
        }
    }

    private static func read(
        _ buffer: UnsafeRawBufferPointer, whole: [UInt8]
    ) throws(CodecError) -> MetadataRecord {
        var reader = ByteReader(buffer)
        let (type, version) = try MetadataFraming.readHead(from: &reader)
        switch type {
        case 0: return .registerBroker(try .init(from: &reader, version: version))
        case 1: return .unregisterBroker(try .init(from: &reader, version: version))
        case 2: return .topic(try .init(from: &reader, version: version))
        case 3: return .partition(try .init(from: &reader, version: version))
        case 4: return .config(try .init(from: &reader, version: version))
        case 5: return .partitionChange(try .init(from: &reader, version: version))
        case 7: return .fenceBroker(try .init(from: &reader, version: version))
        case 8: return .unfenceBroker(try .init(from: &reader, version: version))
        case 9: return .removeTopic(try .init(from: &reader, version: version))
        case 12: return .featureLevel(try .init(from: &reader, version: version))
        case 15: return .producerIDs(try .init(from: &reader, version: version))
        case 17: return .brokerRegistrationChange(try .init(from: &reader, version: version))
        case 20: return .noOp(try .init(from: &reader, version: version))
        case 23: return .beginTransaction(try .init(from: &reader, version: version))
        case 24: return .endTransaction(try .init(from: &reader, version: version))
        case 25: return .abortTransaction(try .init(from: &reader, version: version))
        case 27: return .registerController(try .init(from: &reader, version: version))
        case 28: return .clearElr(try .init(from: &reader, version: version))
        default:
            return .other(try OpaqueRecord(type, version: version, body: &reader, whole: whole))
        }
    }

    /// The record's bytes, at the version that Kafka 4.3 writes.
    package func bytes() throws(MetadataError) -> [UInt8] {
        var writer = ByteWriter(capacity: 128)
        do throws(CodecError) {
            try write(into: &writer)
        } catch {
            throw .unwritable(error)
        }
        return writer.array()
    }

    private func write(into writer: inout ByteWriter) throws(CodecError) {
        switch self {
        case .registerBroker(let record):
            try MetadataFraming.write(record, version: 4, into: &writer)
        case .brokerRegistrationChange(let record):
            try MetadataFraming.write(record, version: record.lowestVersion, into: &writer)
        case .partition(let record):
            try MetadataFraming.write(record, version: 2, into: &writer)
        case .partitionChange(let record):
            try MetadataFraming.write(record, version: 2, into: &writer)
        case .unregisterBroker(let record): try Self.write(record, &writer)
        case .fenceBroker(let record): try Self.write(record, &writer)
        case .unfenceBroker(let record): try Self.write(record, &writer)
        case .registerController(let record): try Self.write(record, &writer)
        case .topic(let record): try Self.write(record, &writer)
        case .removeTopic(let record): try Self.write(record, &writer)
        case .clearElr(let record): try Self.write(record, &writer)
        case .config(let record): try Self.write(record, &writer)
        case .featureLevel(let record): try Self.write(record, &writer)
        case .producerIDs(let record): try Self.write(record, &writer)
        case .noOp(let record): try Self.write(record, &writer)
        case .beginTransaction(let record): try Self.write(record, &writer)
        case .endTransaction(let record): try Self.write(record, &writer)
        case .abortTransaction(let record): try Self.write(record, &writer)
        case .other(let record): writer.writeBytes(record.bytes)
        }
    }

    /// Of the kinds that have one version, 0.
    private static func write(
        _ record: some Message, _ writer: inout ByteWriter
    ) throws(CodecError) {
        try MetadataFraming.write(record, version: 0, into: &writer)
    }
}

extension BrokerRegistrationChangeRecord {
    /// The lowest version that holds the fields that are set, as Kafka writes it.
    var lowestVersion: Int16 {
        if cordonedLogDirs != nil { return 3 }
        if !logDirs.isEmpty { return 2 }
        return inControlledShutdown != 0 ? 1 : 0
    }
}
