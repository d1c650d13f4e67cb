import Broker
import Metadata
import MillraceBase
import MillraceProtocol
import Raft
import Testing

/// A control loop whose disk does what it is told when it is told to.
private struct Driven {
    var loop: ControlLoop
    var unwritten: Offset?
    var posts: [(shard: Int, message: ShardMessage)] = []
    var isServing = false
    let now = Moment(instant: Instant(nanoseconds: 1), timestamp: Timestamp(1000))

    init(shards: Int = 2, overrides: [String] = []) throws {
        let settings = try NodeSettings(
            ServerConfig(
                overrides: ["node.id=1", "log.dirs=/d", "num.partitions=2"] + overrides))
        let identity = ControlIdentity(
            settings: settings, clusterID: "c", directoryIDs: [Uuid(high: 1, low: 2)],
            incarnation: Uuid(high: 3, low: 4),
            listeners: [
                RegisteredListener(
                    name: "PLAINTEXT", host: "h", port: 9092, securityProtocol: .plaintext)
            ], shardCount: shards, bootstrap: Bootstrap.records())
        let config = RaftConfig(
            nodeID: NodeID(1), directoryID: Uuid(high: 1, low: 2), voters: [NodeID(1)])
        loop = ControlLoop(
            identity, raft: RaftNode(config: config, recovery: RaftRecovery()),
            image: ClusterImage(), random: SeededGenerator(seed: 7),
            sink: LogSink(capture: { _ in }), problemOfTLS: { _ in nil })
    }

    /// Takes a step; what is to be persisted waits for `persist`.
    mutating func step(_ event: ControlEvent) {
        var effects: [ControlEffect] = []
        loop.step(event, at: now, into: &effects)
        for effect in effects {
            switch effect {
            case .post(let shard, let message): posts.append((shard, message))
            case .persist(_, let end): unwritten = end
            case .saveState(let state): step(.raft(.stateSaved(state)))
            case .serve: isServing = true
            case .takeSnapshot, .releaseLog: break
            }
        }
    }

    /// Everything appended so far is on disk.
    mutating func persist() {
        while let end = unwritten {
            unwritten = nil
            step(.raft(.persisted(end: end)))
        }
    }

    mutating func start() {
        step(.started)
        persist()
        for shard in 0..<2 {
            let end = metadata.last?.view.offset ?? .zero
            step(.message(.metadataApplied(shard: shard, through: end)))
        }
    }

    var metadata: [MetadataUpdate] {
        posts.compactMap { post in
            if case .metadata(let update) = post.message { update } else { nil }
        }
    }

    var replies: [Reply] {
        posts.compactMap { post in
            if case .reply(_, let reply) = post.message { reply } else { nil }
        }
    }

    mutating func create(_ names: [String], sequence: UInt64 = 0) {
        var request = CreateTopicsRequest()
        request.topics = names.map {
            var topic = CreateTopicsRequest.Topic()
            (topic.name, topic.numPartitions, topic.replicationFactor) = ($0, 1, 1)
            return topic
        }
        let token = ReplyToken(
            shard: 1, connection: ConnectionKey(slot: 0, generation: 0), sequence: sequence,
            correlationID: 1, api: .createTopics, version: 7, received: .zero)
        let info = ConnectionInfo(listener: "PLAINTEXT", clientHost: "/::1")
        step(.message(.request(.createTopics(request), token, info)))
    }

    /// The error codes of a CreateTopics answer.
    static func codes(_ reply: Reply) throws -> [Int16] {
        try reply.bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[9...]))
            return try CreateTopicsResponse(from: &reader, version: 7).topics.map(\.errorCode)
        }
    }
}

@Suite struct ControlLoopTests {
    @Test func theNodeServesOnlyWhenEveryShardHasSeenItUnfenced() throws {
        var node = try Driven()
        node.step(.started)
        #expect(node.posts.isEmpty)
        node.persist()
        #expect(!node.isServing)
        let view = try #require(node.metadata.last?.view)
        let brokers = view.seen(through: "PLAINTEXT").brokers()
        #expect(brokers.map(\.isFenced) == [false] && brokers.first?.host == "h")
        node.step(.message(.metadataApplied(shard: 0, through: view.offset)))
        #expect(!node.isServing)
        node.step(.message(.metadataApplied(shard: 1, through: view.offset)))
        #expect(node.isServing)
    }

    @Test func anAnswerWaitsForTheDiskAndComesAfterTheMetadata() throws {
        var node = try Driven()
        node.start()
        node.posts = []
        node.create(["t"])
        #expect(node.posts.isEmpty)
        node.persist()
        #expect(node.metadata.count == 2 && node.replies.count == 1)
        #expect(node.posts.last?.shard == 1)
        if case .reply? = node.posts.last?.message {} else { Issue.record("the answer is last") }
        #expect(node.metadata.first?.changed.map(\.name) == ["t"])
        #expect(try Driven.codes(node.replies[0]) == [0])
    }

    @Test func anAnswerThatChangesNothingWaitsBehindTheChangeThatItTellsOf() throws {
        var node = try Driven()
        node.start()
        node.posts = []
        node.create(["t"])
        node.create(["t"], sequence: 1)
        #expect(node.posts.isEmpty)
        node.persist()
        #expect(try node.replies.map(Driven.codes) == [[0], [36]])
        node.create(["t"], sequence: 2)
        #expect(node.replies.count == 3)
    }

    @Test func aRequestThatMakesTooManyRecordsIsRefusedWhole() throws {
        var node = try Driven()
        node.start()
        node.posts = []
        node.create((0..<5_001).map { "t\($0)" })
        node.persist()
        let codes = try Driven.codes(try #require(node.replies.first))
        #expect(codes.count == 5_001 && Set(codes) == [ErrorCode.policyViolation.rawValue])
        node.create((0..<5_000).map { "t\($0)" }, sequence: 1)
        node.persist()
        #expect(Set(try Driven.codes(try #require(node.replies.last))) == [0])
    }

    @Test func manyMissingTopicsAreMadeAThousandAtATime() throws {
        var node = try Driven()
        node.start()
        let names = (0..<2_500).map { "t\($0)" }
        for count in [1_000, 2_000, 2_500, 2_500] {
            node.step(.message(.createTopics(names: names)))
            node.persist()
            let seen = try #require(node.metadata.last?.view).seen(through: "PLAINTEXT")
            #expect(seen.topicNames().count == count)
        }
    }

    @Test func aLogThatCannotBeWrittenAnswersWhoWaitsAndRefusesWhatComes() throws {
        var node = try Driven()
        node.start()
        node.posts = []
        node.create(["t"])
        node.step(.failed("the disk is full"))
        node.create(["u"], sequence: 1)
        #expect(try node.replies.map(Driven.codes) == [[56], [56]])
        node.step(.message(.allocateProducerIDs(shard: 0)))
        if case .producerIDs(let block)? = node.posts.last?.message {
            #expect(block.isEmpty)
        } else {
            Issue.record("the shard is told that there are none")
        }
    }

    @Test func missingTopicsAreMadeOnceAndInternalOnesAsTheSettingsSay() throws {
        var node = try Driven(overrides: [
            "offsets.topic.num.partitions=4", "offsets.topic.replication.factor=1",
        ])
        node.start()
        node.posts = []
        for _ in 0..<2 {
            node.step(.message(.createTopics(names: ["__consumer_offsets", "new"])))
        }
        node.persist()
        let seen = try #require(node.metadata.last?.view).seen(through: "PLAINTEXT")
        #expect(seen.topic(named: "__consumer_offsets")?.partitions.count == 4)
        #expect(seen.topic(named: "new")?.partitions.count == 2)
        let view = try #require(node.metadata.last?.view)
        #expect(view.topicOverrides("__consumer_offsets")["cleanup.policy"] == "compact")
    }

    @Test func aShardGetsItsOwnBlockOfProducerIds() throws {
        var node = try Driven()
        node.start()
        node.posts = []
        node.step(.message(.allocateProducerIDs(shard: 0)))
        node.step(.message(.allocateProducerIDs(shard: 1)))
        #expect(node.posts.isEmpty)
        node.persist()
        let blocks = node.posts.compactMap { post -> Range<Int64>? in
            if case .producerIDs(let block) = post.message { block } else { nil }
        }
        #expect(blocks == [0..<1000, 1000..<2000])
    }
}
