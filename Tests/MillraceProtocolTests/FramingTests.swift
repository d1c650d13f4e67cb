import MillraceBase
import MillraceProtocol
import TestSupport
import Testing

/// Headers, frames of records, and the hashes that clients and brokers share.
struct FramingTests {
    private func murmur2(_ text: String) -> Int32 {
        Array(text.utf8).withUnsafeBytes { Hashes.murmur2($0) }
    }

    @Test func hashesAreJavas() {
        // From Kafka's own UtilsTest.
        #expect(murmur2("21") == -973_932_308)
        #expect(murmur2("foobar") == -790_332_482)
        #expect(murmur2("a-little-bit-long-string") == -985_981_536)
        #expect(murmur2("a-little-bit-longer-string") == -1_486_304_829)
        #expect(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8") == -58_897_971)
        #expect(murmur2("abc") == 479_470_107)
        #expect(Hashes.javaString("hello") == 99_162_322)
        #expect(Hashes.javaString("") == 0)
        #expect(Hashes.javaString("polygenelubricants") == .min)
        #expect(Hashes.coordinatorPartition("polygenelubricants", count: 50) == 0)
        #expect(Hashes.coordinatorPartition("hello", count: 50) == 22)
    }

    @Test func requestHeadersFollowTheirAPIVersion() throws {
        #expect(RequestHeader.headerVersion(key: ApiKey.fetch.rawValue, version: 11) == 1)
        #expect(RequestHeader.headerVersion(key: ApiKey.fetch.rawValue, version: 12) == 2)
        #expect(RequestHeader.headerVersion(key: 9999, version: 12) == 1)
        #expect(ResponseHeader.headerVersion(api: .fetch, version: 12) == 1)
        #expect(ResponseHeader.headerVersion(api: .apiVersions, version: 4) == 0)
        var writer = ByteWriter()
        try writer.writeRequest(
            ApiVersionsRequest(), api: .apiVersions, version: 3, correlationID: 7, clientID: nil)
        // Null client id of two bytes, no tagged fields, two empty texts, no tagged fields.
        #expect(
            writer.array()
                == [0, 0, 0, 14, 0, 18, 0, 3, 0, 0, 0, 7, 0xFF, 0xFF, 0, 1, 1, 0])
    }

    @Test func metadataRecordsCarryTypeAndVersion() throws {
        var record = TopicRecord()
        record.name = "flights"
        record.topicId = Uuid(high: 1, low: 2)
        var writer = ByteWriter()
        try MetadataFraming.write(record, version: 0, into: &writer)
        let bytes = writer.array()
        #expect(bytes.prefix(3) == [1, UInt8(TopicRecord.schema.key), 0])
        let read = try bytes.withUnsafeBytes { try MetadataFraming.read($0) }
        #expect(read?.equals(record) == true)
        let unknown: [UInt8] = [1, 0xE7, 7, 0]
        #expect(try unknown.withUnsafeBytes { try MetadataFraming.read($0) } == nil)
    }

    @Test func everyMetadataRecordGoesThereAndBackInItsFrame() throws {
        for type in MessageRegistry.all where type.schema.kind == .metadata {
            try frame(type)
        }
    }

    private func frame<T: Message>(_ type: T.Type) throws {
        for version in T.schema.versions {
            var writer = ByteWriter()
            try MetadataFraming.write(T(), version: version, into: &writer)
            let read = try writer.withBytes { (raw) throws(CodecError) in
                try MetadataFraming.read(raw)
            }
            #expect(read?.equals(T()) == true, "\(T.schema.name) \(version)")
        }
    }

    @Test func errorCodesHaveKafkasNamesAndManners() {
        #expect(ErrorCode.unknownTopicOrPartition.rawValue == 3)
        #expect(ErrorCode.unknownTopicOrPartition.description == "UNKNOWN_TOPIC_OR_PARTITION")
        #expect(ErrorCode.notLeaderOrFollower.isRetriable)
        #expect(ErrorCode.notLeaderOrFollower.isStaleMetadata)
        #expect(!ErrorCode(rawValue: 8).isRetriable)
        #expect(ErrorCode(rawValue: 9999).description == "ERROR_9999")
        for key in [51, 122, 123] as [Int16] { #expect(ErrorCode(rawValue: key).isRetriable) }
    }
}
