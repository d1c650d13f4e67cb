import MillraceBase
import MillraceClientCore
import MillraceProtocol
import MillraceRecords
import Testing

@Suite struct ConsumerCoreTests {
    struct Story {
        var core: ConsumerCore
        var sent: [(token: RequestToken, target: RequestTarget, request: ClientRequest)] = []
        var fetched: [FetchedRecords] = []
        var stopped: [ClientError] = []
        var ended: [NamedPartition] = []

        init(_ change: (inout ConsumerSettings) -> Void = { _ in }) {
            var settings = ConsumerSettings()
            change(&settings)
            core = ConsumerCore(settings, seed: 1)
        }

        mutating func step(_ event: ConsumerCore.Event, at ms: Int64) {
            var effects: [ConsumerCore.Effect] = []
            core.step(event, at: .ms(ms), into: &effects)
            for effect in effects {
                switch effect {
                case .send(let token, let target, let request):
                    sent.append((token, target, request))
                case .fetched(let records): fetched.append(records)
                case .stopped(_, let error): stopped.append(error)
                case .reachedEnd(let partition, _): ended.append(partition)
                }
            }
        }

        /// Answers the last request.
        mutating func answer(_ response: ClientResponse, at ms: Int64) throws {
            step(.answered(try #require(sent.last).token, response), at: ms)
        }

        /// The offset that the last request, a fetch, asks for in each partition.
        var lastFetch: [Int64] {
            guard case .fetch(let request)? = sent.last?.request else { return [] }
            return request.topics.flatMap { $0.partitions.map(\.fetchOffset) }
        }
    }

    static let partition = NamedPartition("a", 0)

    static func batch(at offset: Int64, count: Int = 2) -> [UInt8] {
        var builder = BatchBuilder(baseOffset: Offset(offset))
        for value in 0..<count {
            builder.append(timestamp: Timestamp(1), key: nil, value: [UInt8(value)])
        }
        return builder.finish()
    }

    static func fetch(_ bytes: [UInt8], end: Int64, _ error: ErrorCode = .none) -> ClientResponse {
        var part = FetchResponse.Response.Partition()
        part.partitionIndex = 0
        part.highWatermark = end
        part.errorCode = error.rawValue
        part.records = .bytes(bytes)
        var topic = FetchResponse.Response()
        topic.topic = "a"
        topic.partitions = [part]
        var answer = FetchResponse()
        answer.responses = [topic]
        return .fetch(answer)
    }

    static func offset(_ offset: Int64) -> ClientResponse {
        var part = ListOffsetsResponse.Topic.Partition()
        part.offset = offset
        var topic = ListOffsetsResponse.Topic()
        topic.name = "a"
        topic.partitions = [part]
        var answer = ListOffsetsResponse()
        answer.topics = [topic]
        return .listOffsets(answer)
    }

    /// A consumer that has asked for offset 10.
    private func begun(_ change: (inout ConsumerSettings) -> Void = { _ in }) throws -> Story {
        var story = Story(change)
        story.step(.assigned([Self.partition: .offset(Offset(10))]), at: 0)
        try story.answer(Answers.metadata("a", leaders: [3]), at: 1)
        #expect(story.sent.last?.target == .node(NodeID(3)))
        #expect(story.lastFetch == [10])
        return story
    }

    @Test func fetchingGoesOnBehindWhatCame() throws {
        var story = try begun()
        let bytes = Self.batch(at: 10) + Self.batch(at: 12, count: 3)
        try story.answer(Self.fetch(bytes + Self.batch(at: 15).dropLast(4), end: 17), at: 2)
        // The batch that was cut is asked for again.
        #expect(story.fetched.map(\.bytes) == [bytes] && story.fetched[0].next == Offset(15))
        #expect(story.lastFetch == [15])
        try story.answer(Self.fetch([], end: 15), at: 3)
        #expect(story.ended == [Self.partition])
    }

    @Test func aFullBufferEndsFetchingUntilItIsTaken() throws {
        var story = try begun { $0.bufferBytes = 1 }
        let bytes = Self.batch(at: 10)
        try story.answer(Self.fetch(bytes, end: 20), at: 2)
        let count = story.sent.count
        story.step(.tick, at: 3)
        #expect(story.sent.count == count)
        story.step(.taken(bytes: bytes.count), at: 4)
        #expect(story.sent.count == count + 1 && story.lastFetch == [12])
    }

    @Test func anOffsetThatIsGoneIsResetAsTheSettingsSay() throws {
        var story = try begun { $0.reset = .earliest }
        try story.answer(Self.fetch([], end: -1, .offsetOutOfRange), at: 2)
        guard case .listOffsets(let request)? = story.sent.last?.request else {
            Issue.record("no look-up")
            return
        }
        #expect(request.topics[0].partitions[0].timestamp == -2)
        try story.answer(Self.offset(42), at: 3)
        #expect(story.lastFetch == [42])

        var strict = try begun { $0.reset = nil }
        try strict.answer(Self.fetch([], end: -1, .offsetOutOfRange), at: 2)
        #expect(strict.stopped == [.refused(.offsetOutOfRange, "a-0")])
    }

    @Test func aSeekVoidsWhatWasAskedBefore() throws {
        var story = try begun()
        let asked = try #require(story.sent.last).token
        story.step(.sought(Self.partition, .offset(Offset(50))), at: 2)
        story.step(.answered(asked, Self.fetch(Self.batch(at: 10), end: 60)), at: 3)
        #expect(story.fetched.isEmpty)
        #expect(story.lastFetch == [50])
    }

    @Test func aMovedLeaderIsFollowed() throws {
        var story = try begun()
        try story.answer(Self.fetch([], end: -1, .notLeaderOrFollower), at: 200)
        try story.answer(Answers.metadata("a", leaders: [4]), at: 201)
        story.step(.tick, at: 400)
        #expect(story.sent.last?.target == .node(NodeID(4)))
        #expect(story.lastFetch == [10])
    }

    @Test func aTimeAfterTheLastRecordIsTheEnd() throws {
        var story = Story()
        story.step(.assigned([Self.partition: .time(Timestamp(99))]), at: 0)
        try story.answer(Answers.metadata("a", leaders: [3]), at: 1)
        try story.answer(Self.offset(-1), at: 2)
        try story.answer(Self.offset(30), at: 3)
        #expect(story.lastFetch == [30])
    }
}
