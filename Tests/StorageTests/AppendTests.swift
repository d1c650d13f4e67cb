import MillraceBase
import MillraceRecords
import Storage
import Testing

struct AppendTests {
    @Test func whatIsStagedIsReadOnlyOnceItIsWritten() throws {
        let fixture = try LogFixture()
        let log = fixture.log
        let (first, firstBytes) = try fixture.stage(TestBatch(values: ["a", "b"]))
        let (second, secondBytes) = try fixture.stage(TestBatch(values: ["c"]))
        let (one, two) = (try first.staged(), try second.staged())
        #expect(one.baseOffset == Offset(0) && one.lastOffset == Offset(1))
        #expect(two.baseOffset == Offset(2) && two.position == Int64(one.byteCount))
        #expect(log.endOffset == .zero && log.stagedEndOffset == Offset(3))
        #expect(try log.read(from: .zero, maxBytes: 100, upTo: Offset(9), minOneBatch: true) == nil)

        try firstBytes.withUnsafeBytes { try one.perform($0) }
        try secondBytes.withUnsafeBytes { try two.perform($0) }
        log.written(one)
        #expect(log.endOffset == Offset(2))
        #expect(try fixture.records() == ["0 a", "1 b"])
        log.written(two)
        #expect(try fixture.records() == ["0 a", "1 b", "2 c"])
    }

    @Test func theHighWatermarkBoundsWhatIsRead() throws {
        let fixture = try LogFixture()
        for value in ["a", "b", "c"] { try fixture.append(TestBatch(values: [value])) }
        let slice = try fixture.log.read(
            from: .zero, maxBytes: 1 << 20, upTo: Offset(2), minOneBatch: true)
        #expect(slice?.byteCount == TestBatch(values: ["a"]).bytes().count * 2)
        #expect(
            try fixture.log.read(from: Offset(2), maxBytes: 9, upTo: Offset(2), minOneBatch: true)
                == nil)
    }

    @Test func theFirstBatchComesWholeThoughItIsOverTheLimit() throws {
        let fixture = try LogFixture()
        try fixture.append(TestBatch(values: [String(repeating: "x", count: 500)]))
        try fixture.append()
        let log = fixture.log
        let whole = try log.read(from: .zero, maxBytes: 1, upTo: Offset(2), minOneBatch: true)
        #expect(whole.map { $0.byteCount > 500 } == true)
        #expect(try log.read(from: .zero, maxBytes: 1, upTo: Offset(2), minOneBatch: false) == nil)
    }

    @Test func everyOffsetIsFoundThroughIndexesOfManySegments() throws {
        var config = LogConfig()
        config.segmentBytes = 3_000
        config.indexIntervalBytes = 200
        let fixture = try LogFixture(config: config, descriptors: 4)
        for index in 0..<200 {
            try fixture.append(TestBatch(values: (0...index % 3).map { "value \(index) \($0)" }))
        }
        let log = fixture.log
        #expect(log.segmentCount > 5)
        let batches = try fixture.readAll(maxBytes: 700)
        #expect(batches.last?.header.nextOffset == log.endOffset)
        for batch in batches {
            for offset in batch.header.baseOffset.rawValue..<batch.header.nextOffset.rawValue {
                let slice = try log.read(
                    from: Offset(offset), maxBytes: 1, upTo: log.endOffset, minOneBatch: true)
                #expect(slice?.position == batch.position)
                #expect(slice?.segmentBaseOffset == batch.segment)
                #expect(slice?.baseOffset == batch.header.baseOffset)
            }
        }
        #expect(fixture.cache.count <= 4)
    }

    @Test func aReaderAtTheEndReadsNoFile() throws {
        let fixture = try LogFixture()
        for _ in 0..<40 { try fixture.append(TestBatch(values: ["a", "b"])) }
        let before = fixture.files.count(.read)
        for offset in 60..<80 {
            #expect(
                try fixture.log.read(
                    from: Offset(Int64(offset)), maxBytes: 10, upTo: Offset(80), minOneBatch: true)
                    != nil)
        }
        #expect(fixture.files.count(.read) == before)
    }

    @Test func aSegmentIsRolledByTimeBetweenRecords() throws {
        var config = LogConfig()
        config.segmentMs = 1_000
        let fixture = try LogFixture(config: config)
        try fixture.append(TestBatch(timestamp: 5_000))
        try fixture.append(TestBatch(timestamp: 6_000))
        #expect(fixture.log.segmentCount == 1)
        try fixture.append(TestBatch(timestamp: 6_001))
        #expect(fixture.log.segmentCount == 2)
    }

    @Test func aSegmentIsRolledWhenAnIndexIsFull() throws {
        var config = LogConfig()
        config.indexIntervalBytes = 1
        config.indexBytesMax = 120
        let fixture = try LogFixture(config: config)
        for index in 0..<35 { try fixture.append(TestBatch(timestamp: 1_000 * Int64(index))) }
        #expect(fixture.log.segmentCount == 4)
        #expect(try fixture.contents("00000000000000000010.index")?.count == 72)
        #expect(try fixture.contents("00000000000000000010.timeindex")?.count == 108)
    }

    @Test func logAppendTimeIsTheBrokersTime() throws {
        var config = LogConfig()
        config.isLogAppendTime = true
        let fixture = try LogFixture(config: config)
        fixture.now = moment(5)
        let staged = try fixture.append(TestBatch(timestamp: 3)).staged()
        #expect(staged.logAppendTime == moment(5).timestamp)
        #expect(try fixture.readAll()[0].header.maxTimestamp == moment(5).timestamp)
    }

    @Test func aTopicsCodecReplacesTheProducers() throws {
        var config = LogConfig()
        config.codec = .lz4
        let fixture = try LogFixture(config: config)
        let staged = try fixture.append(TestBatch(values: ["a", "b"], codec: .gzip)).staged()
        #expect(staged.replacement != nil)
        #expect(try fixture.readAll()[0].header.attributes.codecNumber == 3)
        #expect(try fixture.records() == ["0 a", "1 b"])
    }

    @Test func aBatchLargerThanASegmentIsRefused() throws {
        var config = LogConfig()
        config.segmentBytes = 100
        let fixture = try LogFixture(config: config)
        let batch = TestBatch(values: [String(repeating: "x", count: 100)])
        #expect(try fixture.append(batch).refusal == .largerThanSegment(limit: 100))
    }

    @Test func aReplicasBatchesKeepTheirOffsets() throws {
        let leader = try LogFixture()
        for index in 0..<10 {
            try leader.append(TestBatch(values: ["\(index)", "x"]), epoch: Int32(index / 4))
        }
        let follower = try LogFixture()
        for batch in try leader.readAll() {
            _ = try follower.append(replica: batch.bytes).staged()
        }
        #expect(try follower.records() == (try leader.records()))
        #expect(follower.log.epochStarts == leader.log.epochStarts)
        let again = try leader.readAll()[3].bytes
        #expect(
            try follower.append(replica: again).refusal == .unexpectedOffset(end: Offset(20)))
    }

    @Test func aLogThatNobodyTouchesHoldsNoFile() throws {
        let fixture = try LogFixture(descriptors: 1)
        try fixture.append()
        #expect(fixture.cache.count == 1)
        try fixture.stopClean()
        #expect(fixture.cache.count == 0)
        let again = try fixture.reopened()
        #expect(again.cache.count <= 2)
    }
}
