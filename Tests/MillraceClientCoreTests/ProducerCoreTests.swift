import MillraceBase
import MillraceClientCore
import MillraceProtocol
import MillraceRecords
import Testing

@Suite struct ProducerCoreTests {
    /// A producer, what it has asked and what it has told.
    struct Story {
        struct Sent {
            var token: RequestToken
            var target: RequestTarget
            var request: ProduceRequest
        }

        var core: ProducerCore
        var produced: [Sent] = []
        var metadataToken: RequestToken?
        var idToken: RequestToken?
        var deliveries: [Delivery] = []

        init(_ change: (inout ProducerSettings) -> Void = { _ in }) {
            var settings = ProducerSettings()
            settings.linger = .zero
            change(&settings)
            core = ProducerCore(settings, seed: 1)
        }

        mutating func step(_ event: ProducerCore.Event, at ms: Int64) {
            var effects: [ProducerCore.Effect] = []
            core.step(event, at: .ms(ms), into: &effects)
            for effect in effects {
                switch effect {
                case .delivered(let delivery): deliveries.append(delivery)
                case .send(let token, _, .metadata): metadataToken = token
                case .send(let token, _, .initProducerID): idToken = token
                case .send(let token, let target, .produce(let request)):
                    produced.append(Sent(token: token, target: target, request: request))
                case .send(_, _, let other): Issue.record("sent \(other.api)")
                }
            }
        }

        mutating func append(
            _ value: UInt8, partition: Int32? = 0, key: [UInt8]? = nil, ticket: UInt64 = 0,
            at ms: Int64
        ) {
            let record = ProducerRecord(topic: "a", partition: partition, key: key, value: [value])
            step(.appended([record], tickets: [ticket], timestamp: Timestamp(ms)), at: ms)
        }

        /// Appends the first record and answers what the producer asks before it can send.
        mutating func begin(leaders: [Int32] = [1]) throws {
            append(0, at: 0)
            let metadata = try #require(metadataToken)
            step(.answered(metadata, Answers.metadata("a", leaders: leaders)), at: 1)
            if core.settings.isIdempotent {
                step(.answered(try #require(idToken), Answers.producerID(7)), at: 2)
            }
        }

        mutating func answer(_ index: Int, _ error: ErrorCode = .none, at ms: Int64) {
            let sent = produced[index]
            step(.answered(sent.token, Answers.produce(sent.request, error)), at: ms)
        }
    }

    @Test func nothingIsSentBeforeLeadersAndIDAreKnown() throws {
        var story = Story()
        story.append(0, at: 0)
        #expect(story.produced.isEmpty && story.metadataToken != nil && story.idToken != nil)
        try story.begin()
        #expect(story.produced.count == 1)
        #expect(story.produced[0].target == .node(NodeID(1)))
        #expect(story.produced[0].request.header?.producerID == 7)
        #expect(story.produced[0].request.header?.baseSequence == 0)
    }

    @Test func aRepeatCarriesTheSameBytesAndSequence() throws {
        var story = Story()
        try story.begin()
        story.step(.failed(story.produced[0].token, .unreachable("gone")), at: 10)
        #expect(story.produced.count == 1)
        // More came meanwhile: it stays behind.
        story.append(1, at: 11)
        story.step(.tick, at: 20)
        #expect(story.produced.count == 1)
        let asked = try #require(story.metadataToken)
        story.step(.tick, at: 150)
        story.step(.answered(asked, Answers.metadata("a", leaders: [1])), at: 200)
        try #require(story.produced.count == 2)
        #expect(story.produced[1].request == story.produced[0].request)
        story.answer(1, at: 210)
        try #require(story.produced.count == 3)
        #expect(story.produced[2].request.header?.baseSequence == 1)
        story.answer(2, at: 220)
        #expect(story.deliveries.allSatisfy { $0.result == .success(.zero) })
        #expect(story.core.isIdle)
    }

    /// A simulator goes on from a state more than once.
    @Test func copiesOfAProducerDoNotShareTheirOpenBatches() throws {
        var story = Story { $0.linger = .milliseconds(10) }
        try story.begin()
        story.append(1, ticket: 1, at: 3)
        var copy = story
        copy.append(2, ticket: 2, at: 4)
        story.step(.tick, at: 20)
        copy.step(.tick, at: 20)
        #expect(story.produced.last?.request.header?.recordCount == 2)
        #expect(copy.produced.last?.request.header?.recordCount == 3)
        story.append(3, ticket: 3, at: 21)
        story.answer(0, at: 22)
        story.step(.tick, at: 40)
        #expect(story.produced.last?.request.header?.recordCount == 1)
        #expect(copy.produced.count == 1)
    }

    @Test func oneBatchOfAPartitionIsOnItsWay() throws {
        var story = Story { $0.batchBytes = 50 }
        try story.begin(leaders: [1, 1])
        for value in 1...3 { story.append(UInt8(value), at: 3) }
        story.append(9, partition: 1, at: 3)
        // The other partition does not wait.
        #expect(
            story.produced.map(\.request.partitions) == [
                [NamedPartition("a", 0)], [NamedPartition("a", 1)],
            ])
        story.answer(0, at: 4)
        story.answer(2, at: 5)
        #expect(story.produced.count == 4)
        #expect(story.produced[3].request.header?.baseSequence == 2)
    }

    @Test func aDuplicateIsASuccess() throws {
        var story = Story()
        try story.begin()
        story.answer(0, .duplicateSequenceNumber, at: 5)
        #expect(story.deliveries.map(\.result) == [.success(.none)])
    }

    @Test func aNewLeaderGetsWhatTheOldOneRefused() throws {
        var story = Story()
        try story.begin(leaders: [1])
        story.metadataToken = nil
        story.answer(0, .notLeaderOrFollower, at: 200)
        story.step(.tick, at: 301)
        let asked = try #require(story.metadataToken)
        story.step(.answered(asked, Answers.metadata("a", leaders: [2])), at: 400)
        try #require(story.produced.count == 2)
        #expect(story.produced[1].target == .node(NodeID(2)))
        #expect(story.produced[1].request == story.produced[0].request)
    }

    @Test func aGapInSequencesEndsTheID() throws {
        var story = Story()
        try story.begin()
        story.idToken = nil
        story.append(1, at: 3)
        story.answer(0, .messageTooLarge, at: 5)
        guard case .failure(.refused(.messageTooLarge, _)) = story.deliveries[0].result else {
            Issue.record("\(story.deliveries)")
            return
        }
        #expect(story.produced.count == 1)
        story.step(.answered(try #require(story.idToken), Answers.producerID(8)), at: 6)
        try #require(story.produced.count == 2)
        #expect(story.produced[1].request.header?.producerID == 8)
        #expect(story.produced[1].request.header?.baseSequence == 0)
    }

    @Test func whatIsNotDeliveredInTimeFails() throws {
        var story = Story { $0.deliveryTimeout = .seconds(1) }
        story.append(1, at: 0)
        story.step(.failed(try #require(story.metadataToken), .unreachable("nobody")), at: 10)
        #expect(story.core.deadline <= .ms(1000))
        story.step(.tick, at: 1000)
        #expect(story.deliveries.map(\.result) == [.failure(.timedOut("metadata of a"))])
        #expect(story.core.isIdle)
    }

    @Test func aFullBufferRefuses() {
        var story = Story { $0.bufferBytes = 50 }
        story.append(1, ticket: 1, at: 0)
        story.append(2, ticket: 2, at: 0)
        #expect(story.deliveries.map(\.tickets) == [[2]])
        #expect(story.deliveries.map(\.result) == [.failure(.bufferFull)])
    }

    @Test func recordsLingerUntilABatchIsFullOrFlushed() throws {
        var story = Story {
            $0.linger = .milliseconds(50)
            $0.batchBytes = 100
        }
        try story.begin()
        #expect(story.produced.isEmpty)
        #expect(story.core.deadline == .ms(50))
        story.append(1, at: 10)
        story.append(2, at: 10)
        // The third does not fit: the first two go.
        #expect(story.produced.map { $0.request.header?.recordCount } == [2])
        story.answer(0, at: 20)
        #expect(story.produced.count == 1)
        story.step(.flush, at: 21)
        #expect(story.produced.map { $0.request.header?.recordCount } == [2, 1])
    }

    @Test func keysChooseTheirPartitionAsKafkaDoes() throws {
        var story = Story { $0.isIdempotent = false }
        story.append(1, partition: nil, key: Array("key".utf8), at: 0)
        let asked = try #require(story.metadataToken)
        story.step(.answered(asked, Answers.metadata("a", leaders: [1, 1, 1, 1])), at: 1)
        let expected = Array("key".utf8).withUnsafeBytes {
            Hashes.partition(forKey: $0, count: 4)
        }
        #expect(story.produced.first?.request.partitions == [NamedPartition("a", expected)])
    }

    @Test func aTopicThatMayNotBeSeenFails() throws {
        var story = Story()
        story.append(1, at: 0)
        let asked = try #require(story.metadataToken)
        let answer = Answers.metadata("a", leaders: [], error: .topicAuthorizationFailed)
        story.step(.answered(asked, answer), at: 1)
        #expect(
            story.deliveries.map(\.result)
                == [.failure(.refused(.topicAuthorizationFailed, "a"))])
    }
}
