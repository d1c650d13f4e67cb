import Coordinators
import Foundation
import MillraceBase
import MillraceProtocol
import MillraceRecords
import TestSupport
import Testing

/// What Apache Kafka wrote into `__consumer_offsets`, and what it decoded of that.
@Suite struct RecordedLogTests {
    private struct Expectation: Decodable {
        struct Partition: Decodable {
            var decoded: [Record]?
            var logEndOffset: Int64
        }
        struct Record: Decodable {
            var offset: Int64
            var key: Part?
            var value: Part?
            var control: String?
        }
        struct Part: Decodable {
            var type: String?
            var data: Fields
        }
        struct Fields: Decodable {
            var group: String?
            var topic: String?
            var partition: Int32?
            var offset: Int64?
            var metadata: String?
            var protocolType: String?
            var generation: Int32?
            var members: [Member]?
        }
        struct Member: Decodable {
            var memberId: String
            var clientId: String
        }

        var partitions: [String: Partition]
    }

    private struct Place: Hashable {
        var group: String
        var topic: String
        var partition: Int32
    }

    @Test func kafkasOwnLogGivesTheStateThatItSays() async throws {
        let folder = Program.root.appending(path: "Tests/Golden/logs/10-coordinator-logs")
        let root = try Program.temporaryFolder("coordinator-logs")
        defer { try? FileManager.default.removeItem(at: root) }  // nothing depends on it
        let unpacked = try await Program.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["tar", "--zstd", "-xf", folder.appending(path: "data.tar.zst").path, "-C", root.path])
        #expect(unpacked.status == 0)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let expected = try decoder.decode(
            Expectation.self,
            from: Data(contentsOf: folder.appending(path: "expect.json")))
        var checked = 0
        for (name, partition) in expected.partitions where name.contains("onsumer") {
            let log = root.appending(path: "\(name)/00000000000000000000.log")
            let bytes = [UInt8](try Data(contentsOf: log))
            checked += try check(bytes, partition)
        }
        #expect(checked >= 20, "offsets and groups that are compared")
    }

    private func check(_ bytes: [UInt8], _ partition: Expectation.Partition) throws -> Int {
        let harness = GroupHarness()
        var machine = GroupCoordinator(settings: .quick, generator: SeededGenerator(seed: 1))
        let now = harness.now
        let end = try bytes.withUnsafeBytes { buffer in
            try CoordinatorLogReader.read(buffer, from: 0, contexts: CodecContexts()) { entry in
                var effects: [GroupEffect] = []
                switch entry {
                case .record(let record, let transaction):
                    machine.step(
                        .replay(record, transaction: transaction), at: now, into: &effects)
                case .end(let transaction, let isCommit):
                    machine.step(
                        .replayEnd(transaction: transaction, isCommit: isCommit), at: now,
                        into: &effects)
                }
                #expect(effects == [])
            }
        }
        #expect(end == partition.logEndOffset)
        harness.machine = machine
        harness.step(.loaded)
        let (offsets, groups) = fold(partition.decoded ?? [])
        var checked = 0
        for id in Set(offsets.keys.map(\.group)).union(groups.keys) {
            var found: [Place: String] = [:]
            for topic in try #require(harness.offsets(of: id)) {
                for place in topic.partitions {
                    found[Place(group: id, topic: topic.name, partition: place.index)] =
                        "\(place.offset) \(place.metadata)"
                }
            }
            #expect(found == offsets.filter { $0.key.group == id })
            checked += found.count
            guard let last = groups[id] else { continue }
            let described = try #require(harness.describe(id))
            #expect(described.protocolType == last.protocolType)
            #expect(described.members.map(\.memberId) == last.members?.map(\.memberId))
            #expect(described.members.map(\.clientId) == last.members?.map(\.clientId))
            checked += 1
        }
        return checked
    }

    /// The last value of each key; records of transactions that were aborted do not count.
    private func fold(
        _ records: [Expectation.Record]
    ) -> (offsets: [Place: String], groups: [String: Expectation.Fields]) {
        var offsets: [Place: String] = [:]
        var groups: [String: Expectation.Fields] = [:]
        for (index, record) in records.enumerated() {
            let next = index + 1 < records.count ? records[index + 1].control : nil
            guard let key = record.key, next?.contains("ABORT") != true else { continue }
            guard let group = key.data.group else { continue }
            if key.type == "2" { groups[group] = record.value?.data }
            guard let topic = key.data.topic, let partition = key.data.partition else { continue }
            offsets[Place(group: group, topic: topic, partition: partition)] =
                record.value.map { "\($0.data.offset ?? -2) \($0.data.metadata ?? "")" }
        }
        return (offsets, groups)
    }
}
