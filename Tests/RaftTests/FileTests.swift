import Foundation
import MillraceBase
import Raft
import Testing

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Vectors/metadata")

private func vector(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: folder.appending(path: name)))
}

private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

private func recordLines(_ name: String) throws -> [String] {
    try String(contentsOf: folder.appending(path: name), encoding: .utf8).split(separator: "\n")
        .filter { !$0.hasPrefix("#") }.map(String.init)
}

@Suite struct FileTests {
    @Test func quorumStateIsWhatKafkaWrites() throws {
        let fixed =
            #"{"clusterId":"","leaderId":1,"leaderEpoch":2,"votedId":-1,"appliedOffset":0,"#
            + #""currentVoters":[{"voterId":1}],"data_version":0}"#
        let state = try QuorumState(fixed)
        #expect(
            state
                == QuorumState(leader: NodeID(1), epoch: LeaderEpoch(2), voters: [NodeID(1)]))
        #expect(state.text == fixed)
        let dynamic =
            #"{"leaderId":-1,"leaderEpoch":8,"votedId":-1,"#
            + #""votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#
        #expect(try QuorumState(dynamic).text == dynamic)
        #expect(
            try QuorumState(
                " { \"leaderEpoch\" : 8,\n\"leaderId\":1, \"votedId\":-1,"
                    + "\"currentVoters\":[],\"data_version\":0 }\n"
            ).epoch == LeaderEpoch(8))
    }

    @Test(arguments: [
        "", "{}", "[]", "{\"data_version\":2}", "{\"data_version\":0}", "{\"leaderId\":1",
        #"{"leaderId":1,"leaderEpoch":99999999999,"votedId":-1,"data_version":0}"#,
        #"{"leaderId":1,"leaderEpoch":-5,"votedId":-1,"data_version":0}"#,
        #"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"data_version":0}x"#,
        String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 100_000),
    ])
    func anythingElseIsNoQuorumState(text: String) {
        #expect(throws: RaftError.self) { try QuorumState(text) }
    }

    @Test func snapshotNamesAreKafkas() {
        let id = SnapshotID(end: Offset(1434), epoch: LeaderEpoch(2))
        #expect(id.fileName == "00000000000000001434-0000000002.checkpoint")
        #expect(SnapshotID(fileName: id.fileName) == id)
        for name in [
            "bootstrap.checkpoint", "00000000000000001434-0000000002.checkpoint.part",
            "00000000000000000000.log", "0000000000000000-434-000000002.checkpoint", "",
        ] { #expect(SnapshotID(fileName: name) == nil) }
    }

    @Test func kafkasSegmentsAreReadRecordByRecord() throws {
        var reader = MetadataLogReader(from: .zero)
        for name in ["static-0.segment", "static-224.segment"] {
            let bytes = try vector(name)
            let whole = try bytes.withUnsafeBytes { try reader.read($0, isLast: false) }
            #expect(whole == bytes.count)
        }
        let entries = try reader.finish()
        #expect(entries.first?.isControl == true && entries.first?.epoch == LeaderEpoch(1))
        #expect(entries.last?.end == Offset(451))
        let lines = entries.flatMap(\.records).filter { $0.value[1] != 20 }
            .map { "\($0.offset.rawValue) \(hex($0.value))" }
        #expect(lines == (try recordLines("static.records")).prefix(lines.count).map { $0 })
        #expect(lines.count == 14)
    }

    @Test func aLogIsReadFromWhereASnapshotEnds() throws {
        let bytes = try vector("static-224.segment")
        var reader = MetadataLogReader(from: Offset(283))
        _ = try bytes.withUnsafeBytes { try reader.read($0, isLast: true) }
        #expect(try reader.finish().first?.baseOffset == Offset(283))
    }

    @Test func kafkasSnapshotsAreRead() throws {
        let records = try vector("static-283.checkpoint").withUnsafeBytes {
            try SnapshotReader.records($0)
        }
        let expected = try recordLines("static-283.snapshot").map {
            String($0.split(separator: " ")[1])
        }
        #expect(records.map(hex) == expected)
        let bootstrap = try vector("bootstrap.checkpoint").withUnsafeBytes {
            try SnapshotReader.records($0)
        }
        #expect(bootstrap.count == 6)
    }

    @Test func aSnapshotIsWrittenAsKafkaWritesIt() throws {
        let theirs = try vector("bootstrap.checkpoint")
        let records = try theirs.withUnsafeBytes { try SnapshotReader.records($0) }
        var writer = SnapshotWriter(
            epoch: LeaderEpoch(0), lastTimestamp: .none, now: Timestamp(1_795_487_314_691))
        for record in records { writer.append(record) }
        let ours = writer.finish()
        #expect(ours.count == theirs.count)
        // Kafka's records and footer bear later times than its header: those and the CRCs differ.
        #expect(ours.prefix(83) == theirs.prefix(83), "the header's batch, byte for byte")
        #expect(try ours.withUnsafeBytes { try SnapshotReader.records($0) } == records)
    }

    @Test func anUnfinishedOrDamagedSnapshotIsRefused() throws {
        let bytes = try vector("bootstrap.checkpoint")
        for length in [0, 50, 83, 336, bytes.count - 1] {
            #expect(throws: RaftError.self) {
                try bytes.prefix(length).withUnsafeBytes { try SnapshotReader.records($0) }
            }
        }
        var damaged = bytes
        damaged[200] ^= 1
        #expect(throws: RaftError.self) {
            try damaged.withUnsafeBytes { try SnapshotReader.records($0) }
        }
    }

    @Test func aLargeSnapshotIsSeveralBatches() throws {
        var writer = SnapshotWriter(
            epoch: LeaderEpoch(3), lastTimestamp: Timestamp(5), now: Timestamp(9))
        let records = (0..<5000).map { [UInt8](repeating: UInt8($0 % 251), count: 1000) }
        for record in records { writer.append(record) }
        let bytes = writer.finish()
        #expect(try bytes.withUnsafeBytes { try SnapshotReader.records($0) } == records)
    }
}
