import Foundation
import MillraceBase
import MillraceProtocol
import MillraceRecords
import Storage
import Testing

/// What is made of truncated, flipped, missing, empty, doubled and foreign files: as Kafka does.
struct DamagedLogTests {
    @Test(arguments: ["14-damaged", "15-killed"])
    func anUncleanStartKeepsWhatKafkaKeeps(name: String) async throws {
        let golden = try await GoldenCase(name)
        defer { golden.remove() }
        for (partition, expected) in golden.expectation.partitions {
            guard let wanted = expected.afterUncleanStart else { continue }
            let comment: Comment = "\(partition): \(expected.damage ?? "")"
            let directory = try golden.directory(partition, clean: false)
            var config = LogConfig()
            config.indexIntervalBytes =
                ["x": 300, "u-plain": 1_024, "u-txn": 4_096].first {
                    partition.hasPrefix($0.key)
                }?.value ?? 0
            let log = try golden.open(partition, in: directory, config: config)
            #expect(log.endOffset.rawValue == wanted.logEndOffset, comment)
            #expect(log.startOffset.rawValue == wanted.kafkaReads?.logStartOffset, comment)
            // An epoch is not said to begin before the log does, and one without a batch is begun
            // again by its leader.
            let epochs = (wanted.leaderEpochs ?? []).filter {
                $0[1] < wanted.logEndOffset ?? 0
            }.map { [$0[0], max($0[1], log.startOffset.rawValue)] }
            #expect(
                log.epochStarts.map { [Int64($0.epoch.rawValue), $0.start.rawValue] } == epochs,
                comment)
            try log.close()
            let folder = directory.path + "/" + partition
            try segmentsAre(wanted.segments ?? [], in: folder, comment)
            try snapshotsAre(wanted.producerSnapshots ?? [:], in: folder, comment)
        }
    }

    @Test func anIndexThatPointsBeforeItsSegmentIsMadeAnew() throws {
        var config = LogConfig()
        config.indexIntervalBytes = 1
        let fixture = try LogFixture(config: config)
        for index in 0..<20 { try fixture.append(TestBatch(values: ["\(index)"])) }
        let records = try fixture.records()
        try fixture.stopClean()
        let name = try #require(try fixture.fileNames().first { $0.hasSuffix(".index") })
        let file = try fixture.files.open("/data/t-0/" + name, .readWrite)
        try file.write([0xFF, 0xFF, 0xFF, 0x00], at: try file.size() - 4)
        let again = try fixture.reopened()
        #expect(again.log.endOffset == Offset(20))
        #expect(try again.records() == records)
    }

    private func segmentsAre(
        _ wanted: [GoldenCase.RecoveredSegment], in folder: String, _ comment: Comment
    ) throws {
        let dump = try LogDump.partition(folder, fileSystem: PosixFileSystem(), records: false)
        #expect(
            dump.segments.map(\.baseOffset.rawValue) == wanted.map(\.baseOffset), comment)
        for (found, want) in zip(dump.segments, wanted) {
            #expect(found.byteCount == want.size, comment)
            // Told by the dump: a batch stands there twice. Its timestamp is Kafka's too.
            let isOdd = comment.rawValue.hasPrefix("x-dup")
            // Kafka leaves the wrong offset; here it is mended.
            if comment.rawValue.hasPrefix("x-flipo"), want.baseOffset == 43 { continue }
            #expect(isOdd || found.defects.isEmpty, comment)
            #expect(
                found.offsetIndex.map { [$0.offset.rawValue, $0.position] } == want.index, comment)
            #expect(
                isOdd
                    || found.timeIndex.map { [$0.timestamp.rawValue, $0.offset.rawValue] }
                        == want.timeindex,
                comment)
            #expect(
                found.batches.map {
                    [
                        $0.header.baseOffset.rawValue, $0.header.lastOffset.rawValue, $0.position,
                        Int64($0.header.byteCount),
                    ]
                } == want.batches, comment)
        }
    }

    private func snapshotsAre(
        _ wanted: [String: [GoldenCase.Entry]], in folder: String, _ comment: Comment
    ) throws {
        for (offset, entries) in wanted {
            let digits = String(repeating: "0", count: 20 - offset.count) + offset
            let path = folder + "/" + digits + ".snapshot"
            let bytes = try PosixFileSystem().contents(path) ?? []
            let snapshot = try ProducerSnapshotFile.decode(bytes)
            let found = snapshot.producerEntries.map {
                GoldenCase.Entry(
                    producerId: $0.producerId, producerEpoch: $0.epoch,
                    lastSequence: $0.lastSequence, lastOffset: $0.lastOffset,
                    offsetDelta: $0.offsetDelta, timestamp: $0.timestamp,
                    coordinatorEpoch: $0.coordinatorEpoch,
                    txnFirstOffset: $0.currentTxnFirstOffset)
            }
            // Kafka forgets by record time, here by silence: more may be known.
            for entry in entries { #expect(found.contains(entry), comment) }
        }
    }

    /// The node was killed, so the last segment's indexes are not trimmed: though the mark says
    /// otherwise, the segment is recovered. Kafka appends after a torn batch there, or does not
    /// start.
    @Test func aCleanMarkOnFilesOfAKilledNodeIsNotBelieved() async throws {
        let golden = try await GoldenCase("14-damaged")
        defer { golden.remove() }
        for (partition, expected) in golden.expectation.partitions {
            guard let wanted = expected.afterCleanStart else { continue }
            let log = try golden.open(
                partition, in: try golden.directory(partition, clean: true))
            let cut: Set = ["x-trunc-0", "x-zero-0", "x-garbage-0", "x-fliplast-0"]
            #expect((log.bytesCutAtOpening > 0) == cut.contains(partition), "\(partition)")
            #expect(log.endOffset.rawValue == wanted.logEndOffset ?? 66, "\(partition)")
        }
    }
}
