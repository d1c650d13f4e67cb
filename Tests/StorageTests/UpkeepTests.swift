import MillraceBase
import MillraceRecords
import Storage
import Testing

struct UpkeepTests {
    private func config() -> LogConfig {
        var config = LogConfig()
        config.segmentBytes = 200
        config.fileDeleteDelayMs = 1_000
        return config
    }

    /// Ten segments of two records, a second apart.
    private func fixture(_ config: LogConfig) throws -> LogFixture {
        let fixture = try LogFixture(config: config)
        for index in 0..<20 {
            try fixture.append(
                TestBatch(values: ["\(index)"], timestamp: 1_700_000_000_000 + 1_000 * Int64(index))
            )
        }
        #expect(fixture.log.segmentCount == 10)
        return fixture
    }

    @Test func segmentsGoByTheAgeOfTheirRecords() throws {
        var config = config()
        config.retentionMs = 5_000
        let fixture = try fixture(config)
        let log = fixture.log
        // 11.5 s after the first: the segments whose last records are of 1, 3 and 5 s are too old.
        fixture.now = moment(11_500)
        #expect(try log.enforceRetention(now: fixture.now, committed: Offset(20)) == 3)
        #expect(log.startOffset == Offset(6))
        #expect(try fixture.records().first == "6 6")
        #expect(log.epochStarts == [EpochStart(epoch: LeaderEpoch(0), start: Offset(6))])
        let deleted = try fixture.fileNames().filter { $0.hasSuffix(".deleted") }
        #expect(deleted.contains("00000000000000000004.log.deleted"))
        #expect(log.dueRemovals(now: moment(12_400).instant) == nil)
        #expect(log.nextRemoval == moment(12_500).instant)
        try #require(log.dueRemovals(now: moment(12_500).instant)).perform()
        #expect(!(try fixture.fileNames().contains { $0.hasSuffix(".deleted") }))
    }

    @Test func whatIsNotCommittedStays() throws {
        var config = config()
        config.retentionMs = 0
        let fixture = try fixture(config)
        fixture.now = moment(30_000)
        #expect(try fixture.log.enforceRetention(now: fixture.now, committed: Offset(5)) == 2)
        #expect(fixture.log.startOffset == Offset(4))
    }

    @Test func theLastSegmentGoesToo() throws {
        var config = config()
        config.retentionMs = 1_000
        let fixture = try fixture(config)
        fixture.now = moment(30_000)
        #expect(try fixture.log.enforceRetention(now: fixture.now, committed: Offset(20)) == 10)
        #expect(fixture.log.startOffset == Offset(20) && fixture.log.segmentCount == 1)
        let late = TestBatch(timestamp: moment(30_000).timestamp.rawValue)
        #expect(try fixture.append(late).staged().baseOffset == Offset(20))
        #expect(try fixture.log.enforceRetention(now: moment(30_001), committed: Offset(21)) == 0)
        let again = try fixture.reopened()
        #expect(again.log.startOffset == Offset(20) && again.log.endOffset == Offset(21))
    }

    @Test func segmentsGoBySize() throws {
        var config = config()
        let fixture = try fixture(config)
        let segment = fixture.log.byteCount / 10
        config.retentionBytes = segment * 4 + 10
        fixture.log.config = config
        #expect(try fixture.log.enforceRetention(now: fixture.now, committed: Offset(20)) == 5)
        #expect(fixture.log.startOffset == Offset(10))
    }

    @Test func aClockThatJumpsDeletesNothingEarly() throws {
        var config = config()
        config.retentionMs = 3_600_000
        let fixture = try fixture(config)
        let log = fixture.log
        #expect(try log.enforceRetention(now: moment(20_000), committed: Offset(20)) == 0)
        // Ten days forward in a second of monotonic time.
        var jumped = moment(21_000)
        jumped.timestamp = Timestamp(jumped.timestamp.rawValue + 864_000_000)
        #expect(try log.enforceRetention(now: jumped, committed: Offset(20)) == 0)
        jumped.instant = jumped.instant + .seconds(1_800)
        jumped.timestamp = Timestamp(jumped.timestamp.rawValue + 1_800_000)
        #expect(try log.enforceRetention(now: jumped, committed: Offset(20)) == 0)
        // Back again, as if nothing had been; an hour later the records are really old.
        #expect(try log.enforceRetention(now: moment(3_000_000), committed: Offset(20)) == 0)
        #expect(try log.enforceRetention(now: moment(3_700_000), committed: Offset(20)) == 10)
    }

    @Test func aClockThatWasSetRightIsBelievedAfterADay() throws {
        var clock = WallClockGuard(now: moment())
        var later = moment(1_000)
        later.timestamp = Timestamp(later.timestamp.rawValue + 864_000_000)
        #expect(clock.trusted(later) == moment(1_000).timestamp)
        later.instant = later.instant + .seconds(86_400)
        later.timestamp = Timestamp(later.timestamp.rawValue + 86_400_000)
        #expect(clock.trusted(later) == later.timestamp)
        var back = later
        back.instant = back.instant + .seconds(1)
        back.timestamp = Timestamp(back.timestamp.rawValue - 864_000_000)
        #expect(clock.trusted(back) == back.timestamp)
    }

    @Test func aClockThatJumpsAgainIsBelievedADayAfterTheLastJump() {
        let day: Int64 = 86_400_000
        var clock = WallClockGuard(now: moment())
        func time(after hours: Int64, ahead days: Int64) -> (Moment, steady: Timestamp) {
            var time = moment()
            time.instant = time.instant + .seconds(hours * 3_600)
            let steady = time.timestamp.rawValue + hours * 3_600_000
            time.timestamp = Timestamp(steady + days * day)
            return (time, Timestamp(steady))
        }
        for (hours, days) in [(1, 365), (24, 365), (24, 730), (26, 730), (47, 730)] {
            let (now, steady) = time(after: Int64(hours), ahead: Int64(days))
            #expect(clock.trusted(now) == steady, "\(hours) h")
        }
        let (now, _) = time(after: 48, ahead: 730)
        #expect(clock.trusted(now) == now.timestamp)
    }

    @Test func deletedRecordsAreNotReadAndTheirSegmentsGo() throws {
        let fixture = try fixture(config())
        let log = fixture.log
        try log.deleteRecords(before: Offset(7))
        #expect(log.startOffset == Offset(7))
        #expect(
            try log.read(from: Offset(6), maxBytes: 9, upTo: Offset(20), minOneBatch: true)
                == nil)
        #expect(try fixture.records().first == "7 7")
        #expect(try log.enforceRetention(now: fixture.now, committed: Offset(20)) == 3)
        #expect(log.startOffset == Offset(7) && log.segmentCount == 7)
        try fixture.checkpoint()
        #expect(try fixture.reopened().log.startOffset == Offset(7))
    }

    @Test func aSliceIsReadThoughItsSegmentIsGone() throws {
        var config = config()
        config.retentionMs = 0
        let fixture = try fixture(config)
        let slice = try #require(
            try fixture.log.read(from: .zero, maxBytes: 1, upTo: Offset(20), minOneBatch: true))
        try fixture.log.enforceRetention(now: moment(90_000), committed: Offset(20))
        try fixture.log.dueRemovals(now: moment(95_000).instant)?.perform()
        #expect(try slice.bytes().count == slice.byteCount)
    }

    @Test func aFlushIsDueByCountByTimeAndByRoll() throws {
        var config = LogConfig()
        config.flushMessages = 3
        config.flushMs = 100
        let fixture = try LogFixture(config: config)
        let log = fixture.log
        try fixture.append(TestBatch(values: ["a", "b"]))
        #expect(
            !log.needsFlush(now: moment(99).instant) && log.needsFlush(now: moment(100).instant))
        #expect(log.flushDeadline == moment(100).instant)
        try fixture.append()
        #expect(log.needsFlush(now: moment().instant))
        let job = try #require(try log.beginFlush())
        #expect(try log.beginFlush() == nil)
        try fixture.append()
        try job.perform()
        log.flushed(job, now: moment(5).instant)
        #expect(log.flushedOffset == Offset(3) && log.endOffset == Offset(4))
        #expect(!log.needsFlush(now: moment(5).instant))

        var rolling = LogConfig()
        rolling.segmentBytes = 100
        let other = try LogFixture("u-0", config: rolling)
        try other.append()
        #expect(!other.log.needsFlush(now: moment(9_999_999).instant))
        try other.append()
        #expect(other.log.needsFlush(now: moment().instant))
        try other.flush()
        #expect(other.log.flushedOffset == Offset(2))
    }

    @Test func epochsTellWhereTheyEnd() throws {
        let fixture = try LogFixture()
        let log = fixture.log
        #expect(log.endOffset(for: LeaderEpoch(0)) == (.none, .none))
        try log.beginEpoch(LeaderEpoch(2))
        try fixture.append(epoch: 2)
        try fixture.append(epoch: 2)
        try log.beginEpoch(LeaderEpoch(5))
        try fixture.append(epoch: 5)
        #expect(log.latestEpoch == LeaderEpoch(5))
        #expect(log.endOffset(for: LeaderEpoch(1)) == (LeaderEpoch(1), Offset(0)))
        #expect(log.endOffset(for: LeaderEpoch(2)) == (LeaderEpoch(2), Offset(2)))
        #expect(log.endOffset(for: LeaderEpoch(3)) == (LeaderEpoch(2), Offset(2)))
        #expect(log.endOffset(for: LeaderEpoch(5)) == (LeaderEpoch(5), Offset(3)))
        #expect(log.endOffset(for: LeaderEpoch(6)) == (.none, .none))
        #expect(log.epoch(of: Offset(1)) == LeaderEpoch(2))
        #expect(log.epoch(of: Offset(2)) == LeaderEpoch(5))
    }

    @Test func timesAreFoundAsRecorded() throws {
        let fixture = try LogFixture()
        let log = fixture.log
        #expect(try log.offset(forTimestamp: .zeroTime, upTo: log.endOffset) == nil)
        #expect(try log.offsetOfMaxTimestamp() == nil)
        for times in [[0, 10, 20], [1_000, 1_010], [2_000, 2_010, 2_020, 2_030]] as [[Int64]] {
            try fixture.append(
                TestBatch(
                    values: times.map { "\($0)" }, timestamps: times.map { 1_735_689_600_000 + $0 },
                    codec: times.count == 2 ? .zstd : .none))
        }
        let wanted: [(Int64, Int64, Int64)] = [
            (0, 0, 0), (10, 1, 10), (15, 2, 20), (500, 3, 1_000), (2_030, 8, 2_030),
        ]
        for (time, offset, found) in wanted {
            let answer = try log.offset(
                forTimestamp: Timestamp(1_735_689_600_000 + time), upTo: log.endOffset)
            #expect(answer?.offset == Offset(offset))
            #expect(answer?.timestamp == Timestamp(1_735_689_600_000 + found))
        }
        let after = Timestamp(1_735_689_602_031)
        #expect(try log.offset(forTimestamp: after, upTo: log.endOffset) == nil)
        #expect(try log.offsetOfMaxTimestamp()?.offset == Offset(8))
        #expect(
            try log.offset(forTimestamp: Timestamp(1_735_689_601_500), upTo: Offset(5)) == nil)
    }

    @Test func aDeletedPartitionsFolderIsRenamed() throws {
        let fixture = try LogFixture()
        try fixture.append()
        let path = try fixture.log.markForDeletion(Uuid(high: 0xAB, low: 1))
        #expect(path == "/data/t-0.00000000000000ab0000000000000001-delete")
        #expect(try fixture.directory.partitionNames().isEmpty)
        #expect(try fixture.directory.deletedNames().count == 1)
        try fixture.files.removeTree(path)
        #expect(try fixture.directory.deletedNames().isEmpty)
    }
}

extension Timestamp {
    static let zeroTime = Timestamp(0)
}
