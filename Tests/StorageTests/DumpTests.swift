import Foundation
import MillraceBase
import MillraceProtocol
import MillraceRecords
import Storage
import Testing

struct DumpTests {
    private struct Damage: Decodable {
        struct Partition: Decodable {
            /// Base offset of the segment, byte position, reason.
            var stops: [[Stop]]
        }
        enum Stop: Decodable {
            case number(Int64)
            case text(String)
            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let number = try? container.decode(Int64.self) {  // else it is a text
                    self = .number(number)
                } else {
                    self = .text(try container.decode(String.self))
                }
            }
            var number: Int64? {
                guard case .number(let number) = self else { return nil }
                return number
            }
        }
        var partitions: [String: Partition]
    }

    @Test func corruptionIsToldWithItsPlace() async throws {
        let golden = try await GoldenCase("14-damaged")
        defer { golden.remove() }
        let json = GoldenCase.folder.appending(path: "14-damaged/expect.json")
        let damage = try GoldenCase.decoder.decode(Damage.self, from: Data(contentsOf: json))
        for (name, partition) in damage.partitions {
            let dump = try LogDump.partition(
                golden.root.appending(path: name).path, fileSystem: PosixFileSystem(),
                records: true)
            for stop in partition.stops {
                let segment = dump.segments.first { $0.baseOffset.rawValue == stop[0].number }
                let found = segment?.defects.filter { $0.file.hasSuffix(".log") }
                #expect(found?.map(\.position) == [stop[1].number], "\(name)")
            }
            let files = Set(dump.segments.flatMap(\.defects).map(\.file))
            switch name {
            case "x-badindex-0": #expect(files == ["00000000000000000012.index"])
            case "x-badtimeindex-0": #expect(files == ["00000000000000000010.timeindex"])
            case "x-noindex-0":
                #expect(
                    files == ["00000000000000000010.index", "00000000000000000010.timeindex"])
            case "x-clean-0": #expect(files.isEmpty)
            default: break
            }
        }
    }

    @Test func everythingInAPartitionsFolderIsRead() async throws {
        let golden = try await GoldenCase("05-transactions")
        defer { golden.remove() }
        let dump = try LogDump.partition(
            golden.root.appending(path: "txn-0").path, fileSystem: PosixFileSystem(), records: true)
        let expected = try #require(golden.expectation.partitions["txn-0"])
        #expect(dump.topicID.map { "\($0.uuid)" } == expected.topicId)
        #expect(dump.segments.flatMap(\.defects).isEmpty && dump.defects.isEmpty)
        #expect(dump.segments.count == expected.segments?.count)
        for (found, want) in zip(dump.segments, expected.segments ?? []) {
            #expect(found.offsetIndex.map { [$0.offset.rawValue, $0.position] } == want.index)
            #expect(
                found.timeIndex.map { [$0.timestamp.rawValue, $0.offset.rawValue] }
                    == want.timeindex)
        }
        let records = dump.segments.flatMap(\.batches).flatMap(\.records)
        #expect(records.map(\.offset.rawValue) == expected.records?.map(\.offset))
        #expect(records.map(\.timestamp.rawValue) == expected.records?.map(\.timestamp))
        #expect(dump.segments.contains { !$0.aborted.isEmpty })
        #expect(
            dump.snapshots.map { "\($0.offset.rawValue)" }.sorted()
                == expected.producerSnapshots?.keys.sorted())
        #expect(
            try LogDump.checkpoint(
                golden.root.appending(path: "recovery-point-offset-checkpoint").path,
                fileSystem: PosixFileSystem())["txn-0"] == Offset(192))
    }

    @Test func aSnapshotThatIsTornSaysWhy() throws {
        let fixture = try LogFixture()
        try fixture.append(
            TestBatch(producer: BatchProducer(id: 1, epoch: 0, baseSequence: 0)))
        try fixture.stopClean()
        let path = "/data/t-0/00000000000000000001.snapshot"
        try fixture.files.open(path, .readWrite).write([9], at: 20)
        let dump = try LogDump.partition("/data/t-0", fileSystem: fixture.files, records: false)
        #expect(dump.snapshots[0].defects.map(\.reason) == ["the CRC does not fit the content"])
    }
}
