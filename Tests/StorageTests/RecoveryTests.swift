import MillraceBase
import MillraceProtocol
import MillraceRecords
import Storage
import Testing

struct RecoveryTests {
    private static let last = "00000000000000000000.log"

    private func small() -> LogConfig {
        var config = LogConfig()
        config.segmentBytes = 1_000
        config.indexIntervalBytes = 100
        return config
    }

    private func path(_ file: String) -> String { "/data/t-0/" + file }

    @Test func aCleanStartReadsNothingButTheTail() throws {
        let fixture = try LogFixture(config: small())
        for index in 0..<100 { try fixture.append(TestBatch(values: ["\(index)"])) }
        let records = try fixture.records()
        try fixture.stopClean()
        // A flipped bit in the first segment is not noticed.
        let file = try fixture.files.open(path(Self.last), .readWrite)
        try file.write([0xFF], at: 65)
        let before = fixture.files.count(.read)
        let again = try fixture.reopened()
        #expect(fixture.files.count(.read) - before < 20)
        #expect(again.directory.wasStoppedCleanly && again.directory.previousBrokerEpoch == 12)
        #expect(again.log.bytesCutAtOpening == 0 && again.log.endOffset == Offset(100))
        #expect(again.log.flushedOffset == Offset(100))
        try file.write([UInt8](repeating: 0, count: 1), at: 65)
        _ = records
    }

    @Test func aLogGoesOnAfterACleanStop() throws {
        let fixture = try LogFixture(config: small())
        for index in 0..<30 { try fixture.append(TestBatch(values: ["\(index)"])) }
        try fixture.stopClean()
        let again = try fixture.reopened()
        for index in 30..<60 { try again.append(TestBatch(values: ["\(index)"])) }
        #expect(try again.records() == (0..<60).map { "\($0) \($0)" })
        try again.stopClean()
        let dump = try LogDump.partition("/data/t-0", fileSystem: fixture.files, records: true)
        #expect(dump.segments.allSatisfy { $0.defects.isEmpty })
        #expect(dump.segments.flatMap(\.batches).flatMap(\.records).count == 60)
        #expect(dump.snapshots.contains { $0.offset == Offset(60) })
    }

    @Test func afterAKillEverythingWrittenIsThere() throws {
        let fixture = try LogFixture(config: small())
        for index in 0..<50 { try fixture.append(TestBatch(values: ["\(index)"])) }
        let again = try fixture.reopened()
        #expect(!again.directory.wasStoppedCleanly)
        #expect(try again.records() == (0..<50).map { "\($0) \($0)" })
        #expect(again.log.bytesCutAtOpening == 0 && again.log.flushedOffset == .zero)
    }

    @Test func aTornTailIsCutAndTheLogGoesOn() throws {
        let fixture = try LogFixture()
        for index in 0..<5 { try fixture.append(TestBatch(values: ["\(index)"])) }
        let file = try fixture.files.open(path(Self.last), .readWrite)
        let size = try file.size()
        try file.truncate(to: size - 3)
        let again = try fixture.reopened()
        #expect(again.log.endOffset == Offset(4) && again.log.bytesCutAtOpening > 0)
        #expect(try again.append(TestBatch(values: ["new"])).staged().baseOffset == Offset(4))
        #expect(try again.records().last == "4 new")
    }

    @Test func whatFollowsACorruptSegmentIsRemoved() throws {
        let fixture = try LogFixture(config: small())
        for index in 0..<50 { try fixture.append(TestBatch(values: ["\(index)"])) }
        let file = try fixture.files.open(path(Self.last), .readWrite)
        try file.write([0xAA], at: 100)
        let again = try fixture.reopened()
        #expect(again.log.segmentCount == 1)
        #expect(try again.records() == ["0 0"])
        let logs = try again.fileNames().filter { $0.hasSuffix(".log") }
        #expect(logs == [Self.last])
    }

    @Test func recoveryBeginsAtTheRecoveryPoint() throws {
        let fixture = try LogFixture(config: small())
        for index in 0..<50 { try fixture.append(TestBatch(values: ["\(index)"])) }
        try fixture.flush()
        try fixture.checkpoint()
        #expect(fixture.log.flushedOffset == Offset(50))
        // Damage before the recovery point is not looked for.
        let file = try fixture.files.open(path(Self.last), .readWrite)
        try file.write([0xAA], at: 100)
        let again = try fixture.reopened()
        #expect(again.log.endOffset == Offset(50) && again.log.segmentCount > 1)
    }

    @Test(arguments: ["index", "timeindex"], [true, false])
    func aMissingIndexIsMadeAgain(kind: String, clean: Bool) throws {
        let fixture = try LogFixture(config: small())
        for index in 0..<50 { try fixture.append(TestBatch(values: ["\(index)"])) }
        if clean { try fixture.stopClean() }
        let name = "00000000000000000000.\(kind)"
        let before = try fixture.contents(name)
        try fixture.files.remove(path(name))
        let again = try fixture.reopened()
        #expect(try again.contents(name) == before)
        #expect(try again.records().count == 50)
    }

    @Test func anIndexThatLiesIsMadeAgainWhenItIsRead() throws {
        let fixture = try LogFixture(config: small())
        for index in 0..<50 { try fixture.append(TestBatch(values: ["\(index)"])) }
        try fixture.stopClean()
        let name = "00000000000000000000.index"
        let before = try #require(try fixture.contents(name))
        let file = try fixture.files.open(path(name), .readWrite)
        // Offset 1, position 300: no batch begins there.
        try file.write([0, 0, 0, 1, 0, 0, 1, 44], at: 0)
        let again = try fixture.reopened()
        #expect(try again.records() == (0..<50).map { "\($0) \($0)" })
        let slice = try again.log.read(
            from: Offset(1), maxBytes: 1, upTo: Offset(50), minOneBatch: true)
        #expect(slice?.baseOffset == Offset(1))
        #expect(try again.contents(name) == before)
    }

    @Test func aTornProducerSnapshotIsPassedOver() throws {
        let fixture = try LogFixture(config: small())
        for sequence in 0..<50 {
            let producer = BatchProducer(id: 5, epoch: 0, baseSequence: Int32(sequence))
            try fixture.append(TestBatch(producer: producer))
        }
        try fixture.stopClean()
        for name in try fixture.fileNames() where name.hasSuffix(".snapshot") {
            try fixture.files.open(path(name), .readWrite).truncate(to: 9)
        }
        let again = try fixture.reopened()
        #expect(again.log.producers() == fixture.log.producers())
    }

    @Test func snapshotsOfFormerStopsDoNotPileUp() throws {
        var fixture = try LogFixture()
        for _ in 0..<4 {
            try fixture.append()
            try fixture.stopClean()
            fixture = try fixture.reopened()
        }
        let snapshots = try fixture.fileNames().filter { $0.hasSuffix(".snapshot") }
        #expect(snapshots == ["00000000000000000004.snapshot"])
    }

    @Test func aNodeWithoutDescriptorsClosesThoseOfIdleLogs() throws {
        let fixture = try LogFixture()
        try fixture.append()
        try fixture.log.restart(at: .zero, now: fixture.now)
        fixture.cache.closeAll()
        let tooManyOpenFiles: Int32 = 24
        let other = try PartitionLog.open(
            name: "u-0", topicID: nil, in: fixture.directory, config: LogConfig(),
            files: fixture.cache, contexts: fixture.contexts, now: fixture.now)
        fixture.files.fail(.open, path: "t-0/00000000000000000000.log", code: tooManyOpenFiles)
        #expect(fixture.cache.count > 0)
        #expect(try fixture.append().staged().baseOffset == .zero)
        #expect(fixture.cache.count == 1 && fixture.directory.offlineCause == nil)
        withExtendedLifetime(other) {}
    }

    @Test func leftoversOfDeletionAndCleaningAreRemoved() throws {
        let fixture = try LogFixture()
        try fixture.append()
        try fixture.stopClean()
        for name in [
            "00000000000000000007.log.deleted", "00000000000000000000.log.cleaned",
            "00000000000000000009.index", "x.tmp",
        ] {
            try fixture.files.open(path(name), .replace).write([1], at: 0)
        }
        let again = try fixture.reopened()
        #expect(try again.records() == ["0 v"])
        let names = try again.fileNames()
        #expect(!names.contains { $0.hasSuffix("deleted") || $0.hasSuffix("cleaned") })
        #expect(!names.contains("00000000000000000009.index") && !names.contains("x.tmp"))
    }

    @Test func anInterruptedSwapIsEnded() throws {
        let fixture = try LogFixture(config: small())
        for index in 0..<30 { try fixture.append(TestBatch(values: ["\(index)"])) }
        try fixture.stopClean()
        let bases = try fixture.fileNames().filter { $0.hasSuffix(".log") }.sorted()
        #expect(bases.count > 2)
        // The cleaned first segment holds the first batch alone.
        let first = try #require(try fixture.contents(Self.last))
        let size = TestBatch(values: ["0"]).bytes().count
        try fixture.files.open(path(Self.last + ".swap"), .replace).write(
            Array(first[..<size]), at: 0)
        let again = try fixture.reopened()
        #expect(try again.records().first == "0 0")
        #expect(try again.contents(Self.last)?.count == size)
        #expect(again.log.endOffset == Offset(30))
    }

    @Test func anotherTopicsFolderIsRefused() throws {
        let fixture = try LogFixture()
        try fixture.stopClean()
        fixture.files.killProcess()
        let directory = try LogDirectory.open(
            "/data", fileSystem: fixture.files, nodeID: NodeID(1))
        #expect(throws: StorageError.self) {
            try PartitionLog.open(
                name: "t-0", topicID: TopicID(Uuid(high: 9, low: 9)), in: directory,
                config: LogConfig(), files: OpenFileCache(capacity: 9), contexts: CodecContexts(),
                now: moment())
        }
    }

    @Test func aStartOffsetBeyondTheEndEmptiesTheLog() throws {
        let fixture = try LogFixture()
        for _ in 0..<5 { try fixture.append() }
        var checkpoints = DirectoryCheckpoints()
        checkpoints.startOffsets = ["t-0": Offset(40)]
        try fixture.directory.writeCheckpoints(checkpoints)
        let again = try fixture.reopened()
        #expect(again.log.startOffset == Offset(40) && again.log.endOffset == Offset(40))
        #expect(try again.append().staged().baseOffset == Offset(40))
    }

    @Test func epochsAreReadFromTheBatchesIfTheirFileIsGone() throws {
        let fixture = try LogFixture(config: small())
        for index in 0..<20 { try fixture.append(epoch: Int32(index / 6)) }
        let epochs = fixture.log.epochStarts
        try fixture.stopClean()
        try fixture.files.remove(path("leader-epoch-checkpoint"))
        #expect(try fixture.reopened().log.epochStarts == epochs)
    }

    @Test func aCutLogForgetsWhatCameAfter() throws {
        let fixture = try LogFixture(config: small())
        for index in 0..<40 {
            let producer = BatchProducer(id: 5, epoch: 0, baseSequence: Int32(index))
            try fixture.append(
                TestBatch(values: ["\(index)"], producer: producer), epoch: Int32(index / 10))
        }
        let log = fixture.log
        try log.truncate(to: Offset(15), now: fixture.now)
        #expect(log.endOffset == Offset(15) && log.stagedEndOffset == Offset(15))
        #expect(log.epochStarts.map(\.epoch.rawValue) == [0, 1])
        #expect(log.producers().first?.lastSequence == 14)
        #expect(try fixture.records().count == 15)
        let producer = BatchProducer(id: 5, epoch: 0, baseSequence: 15)
        try fixture.append(TestBatch(values: ["new"], producer: producer), epoch: 4)
        #expect(try fixture.records().last == "15 new")
        let again = try fixture.reopened()
        #expect(try again.records() == (try fixture.records()))
        #expect(again.log.epochStarts == log.epochStarts)
    }
}
