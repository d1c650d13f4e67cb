import MillraceBase
import MillraceProtocol
import TestSupport
import Testing

/// Random messages of every type at every version, written by an encoder apart from the generated
/// one.
struct SampledMessageTests {
    private static let samples = 12

    @Test func everyTypeGoesThereAndBackAtEveryVersion() throws {
        var sampler = MessageSampler(seed: 0x6d69_6c6c)
        for schema in SchemaMessage.all {
            let type = try #require(MessageTable.byName["\(schema.kind) \(schema.name)"])
            for version in schema.versions {
                for _ in 0..<Self.samples {
                    let bytes = sampler.body(of: schema, version: version)
                    let problem = roundTrip(type, bytes, Int16(version))
                    #expect(
                        problem == nil,
                        "\(schema.name) \(version): \(problem ?? ""): \(Hex.text(bytes))")
                }
            }
        }
    }

    private func roundTrip<T: Message>(_ type: T.Type, _ bytes: [UInt8], _ version: Int16)
        -> String?
    {
        do {
            let (message, end) = try T.decode(bytes, version: version)
            guard end == bytes.count else { return "read \(end) of \(bytes.count)" }
            let encoded = try message.encoded(version: version, source: bytes)
            guard encoded == bytes else { return "written as \(Hex.text(encoded))" }
            let again = try T.decode(encoded, version: version).message
            return again == message ? nil : "read differently the second time"
        } catch {
            return "\(error)"
        }
    }

    @Test func aVersionThatIsNotThereIsRefusedBothWays() throws {
        for type in MessageRegistry.all {
            let versions = type.schema.versions
            for version in [versions.lowerBound - 1, versions.upperBound + 1] {
                #expect(throws: CodecError.unsupportedVersion(version)) {
                    try type.init().encoded(version: version)
                }
                #expect(throws: CodecError.unsupportedVersion(version)) {
                    _ = try type.decode([0, 0, 0, 0], version: version)
                }
            }
        }
    }

    @Test func aFieldThatTheVersionLacksIsRefusedUnlessItMayBeDropped() throws {
        var request = FetchRequest()
        request.rackId = "r1"  // ignorable
        _ = try request.encoded(version: 10)
        var alter = CreateTopicsRequest()
        alter.validateOnly = true  // not so
        #expect(throws: CodecError.self) { try alter.encoded(version: 0) }
        var metadata = MetadataRequest()
        metadata.topics = nil
        #expect(throws: CodecError.self) { try metadata.encoded(version: 0) }
        #expect(try metadata.encoded(version: 1) == [0xFF, 0xFF, 0xFF, 0xFF])
    }

    @Test func recordsFromElsewhereLeaveASpliceThatTheSizeCounts() throws {
        var response = FetchResponse()
        var topic = FetchResponse.Response()
        var partition = FetchResponse.Response.Partition()
        partition.records = .external(count: 1000)
        topic.partitions = [partition, partition]
        response.responses = [topic]
        var writer = ByteWriter()
        try writer.writeResponse(response, api: .fetch, version: 17, correlationID: 5)
        let splices = writer.splices
        let bytes = writer.array()
        #expect(splices.map(\.count) == [1000, 1000])
        var whole: [UInt8] = []
        var done = 0
        for splice in splices {
            whole += bytes[done..<splice.position] + [UInt8](repeating: 7, count: splice.count)
            done = splice.position
        }
        whole += bytes[done...]
        #expect(
            Array(whole[0..<4]) == [
                0, 0, UInt8((whole.count - 4) >> 8), UInt8((whole.count - 4) & 255),
            ])
        let read = try FetchResponse.decode(whole, version: 17, from: 9)
        #expect(read.end == whole.count)
        for partition in read.message.responses[0].partitions {
            guard case .frame(let range) = partition.records else {
                Issue.record("records are a range of the frame")
                continue
            }
            #expect(whole[range].allSatisfy { $0 == 7 } && range.count == 1000)
        }
    }
}
