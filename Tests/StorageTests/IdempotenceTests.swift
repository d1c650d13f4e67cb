import MillraceBase
import MillraceRecords
import Storage
import Testing

/// The answers of the recorded scenarios `idempotent-*.json`.
struct IdempotenceTests {
    private func batch(
        _ sequence: Int32, count: Int = 1, id: Int64 = 7, epoch: Int16 = 0
    ) -> TestBatch {
        TestBatch(
            values: (0..<count).map { "v\($0)" },
            producer: BatchProducer(id: id, epoch: epoch, baseSequence: sequence))
    }

    private func base(_ outcome: AppendOutcome) -> Int64? {
        switch outcome {
        case .staged(let staged): staged.baseOffset.rawValue
        case .duplicate(let duplicate): duplicate.baseOffset.rawValue
        case .refused: nil
        }
    }

    @Test func theLastFiveBatchesAreKnown() throws {
        let fixture = try LogFixture()
        for sequence in 0..<7 { try fixture.append(batch(Int32(sequence))) }
        #expect(try fixture.append(batch(6)).duplicate?.baseOffset == Offset(6))
        #expect(try fixture.append(batch(2)).duplicate?.baseOffset == Offset(2))
        for (sequence, count) in [(1, 1), (0, 1), (3, 2)] {
            let outcome = try fixture.append(batch(Int32(sequence), count: count))
            #expect(
                outcome.refusal
                    == .outOfOrderSequence(producerID: 7, expected: 7, found: Int32(sequence)))
        }
        #expect(base(try fixture.append(batch(7))) == 7)
    }

    @Test func aNewEpochBeginsAtZeroAndEndsTheOld() throws {
        let fixture = try LogFixture()
        try fixture.append(batch(0, count: 2))
        try fixture.append(batch(2, count: 3))
        #expect(try fixture.append(batch(2, count: 3)).duplicate?.lastOffset == Offset(4))
        #expect(
            try fixture.append(batch(9)).refusal
                == .outOfOrderSequence(producerID: 7, expected: 5, found: 9))
        #expect(
            try fixture.append(batch(5, epoch: 1)).refusal
                == .outOfOrderSequence(producerID: 7, expected: 0, found: 5))
        #expect(base(try fixture.append(batch(0, epoch: 1))) == 5)
        #expect(
            try fixture.append(batch(5)).refusal
                == .invalidProducerEpoch(producerID: 7, current: 1, found: 0))
    }

    @Test func anUnknownProducerBeginsAnywhere() throws {
        let fixture = try LogFixture()
        #expect(base(try fixture.append(batch(5))) == 0)
        #expect(try fixture.append(batch(0)).refusal != nil)
        #expect(base(try fixture.append(batch(6))) == 1)
        #expect(base(try fixture.append(batch(0, id: 8, epoch: 3))) == 2)
        #expect(base(try fixture.append(batch(0, id: -5))) == 3)
        #expect(base(try fixture.append(batch(0, epoch: 32767))) == 4)
        #expect(base(try fixture.append(batch(1, id: 9, epoch: -1))) == 5)
        #expect(base(try fixture.append(batch(7, id: 9, epoch: -1))) == 6)
    }

    @Test func sequencesGoFromTheLargestNumberToZero() throws {
        let fixture = try LogFixture()
        #expect(base(try fixture.append(batch(2_147_483_645, count: 2))) == 0)
        #expect(base(try fixture.append(batch(2_147_483_647))) == 2)
        #expect(base(try fixture.append(batch(0, count: 2))) == 3)
        #expect(try fixture.append(batch(2_147_483_647)).duplicate?.baseOffset == Offset(2))
        #expect(base(try fixture.append(batch(2))) == 5)

        #expect(base(try fixture.append(batch(2_147_483_646, count: 4, id: 8))) == 6)
        #expect(base(try fixture.append(batch(2, id: 8))) == 10)
        #expect(
            try fixture.append(batch(2_147_483_646, count: 4, id: 8)).duplicate?.baseOffset
                == Offset(6))
        #expect(fixture.log.producers().map(\.lastSequence) == [2, 2])
    }

    @Test func deletedRecordsDoNotForgetTheirProducer() throws {
        let fixture = try LogFixture()
        try fixture.append(batch(0, count: 3))
        try fixture.append(batch(3))
        try fixture.log.deleteRecords(before: Offset(4))
        #expect(base(try fixture.append(batch(4))) == 4)
        #expect(try fixture.append(batch(0, count: 3)).duplicate?.baseOffset == .zero)
    }

    @Test(arguments: [true, false])
    func producersAreKnownAfterARestart(clean: Bool) throws {
        var config = LogConfig()
        config.segmentBytes = 400
        let fixture = try LogFixture(config: config)
        for sequence in 0..<20 {
            try fixture.append(batch(Int32(sequence)))
            try fixture.append(batch(Int32(sequence), id: 8, epoch: 2))
        }
        if clean { try fixture.stopClean() }
        let again = try fixture.reopened()
        #expect(again.log.producers() == fixture.log.producers())
        #expect(try again.append(batch(19)).duplicate?.baseOffset == Offset(38))
        #expect(try again.append(batch(21)).refusal != nil)
        #expect(base(try again.append(batch(20))) == 40)
    }

    @Test func aProducerThatIsNotHeardOfIsForgotten() throws {
        var config = LogConfig()
        config.producerExpirationMs = 1_000
        let fixture = try LogFixture(config: config)
        try fixture.append(batch(0))
        // Its records are old from the start; what counts is when it was last heard of.
        try fixture.log.enforceRetention(now: moment(999), committed: Offset(1))
        #expect(fixture.log.producers().count == 1)
        try fixture.log.enforceRetention(now: moment(1_000), committed: Offset(1))
        #expect(fixture.log.producers().isEmpty)
        #expect(base(try fixture.append(batch(77))) == 1)
    }
}
