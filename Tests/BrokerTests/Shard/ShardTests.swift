import Broker
import MillraceBase
import MillraceProtocol
import MillraceRecords
import Storage
import Testing

struct ShardTests {
    @Test(arguments: [1, 3])
    func whatIsProducedIsFetched(shards: Int) throws {
        let harness = try ShardHarness(shards: shards)
        harness.makeTopic("t", partitions: 4)
        for partition: Int32 in 0..<4 {
            let answer = try harness.produce("t", partition: partition, ["a\(partition)", "b"])
            #expect(answer.errorCode == 0 && answer.baseOffset == 0)
            #expect(try harness.produce("t", partition: partition, ["c"]).baseOffset == 2)
        }
        try harness.fetch("t", partitions: [0, 1, 2, 3])
        #expect(
            try harness.fetched().sorted() == ["a0", "a1", "a2", "a3"]
                + Array(repeating: "b", count: 4) + Array(repeating: "c", count: 4))
    }

    @Test(arguments: [1, 3])
    func aFetchWaitsForTheNextRecordAndThenAnswersOnce(shards: Int) throws {
        let harness = try ShardHarness(shards: shards)
        harness.makeTopic("t", partitions: 4)
        try harness.fetch("t", partitions: [0, 1, 2, 3], waitMs: 500)
        #expect(harness.answers.isEmpty)
        try harness.sendProduce("t", partition: 2, ["x"])
        // The fetch came first, so its answer leaves first, and the produce's after it.
        #expect(harness.answers.count == 2)
        harness.answers.removeLast()
        #expect(try harness.fetched() == ["x"])
    }

    @Test func aFetchThatWaitsInVainIsAnsweredEmptyWhenItsTimeIsUp() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        try harness.fetch("t", waitMs: 500)
        harness.pass(.milliseconds(499))
        #expect(harness.answers.isEmpty)
        harness.pass(.milliseconds(1))
        #expect(harness.answers.count == 1)
        #expect(try harness.fetched() == [])
    }

    @Test func answersLeaveInTheOrderOfTheRequests() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        try harness.fetch("t", waitMs: 500)
        try harness.send(ApiVersionsRequest(), .apiVersions, version: 0)
        #expect(harness.answers.isEmpty)
        harness.pass(.milliseconds(500))
        #expect(harness.answers.count == 2)
        _ = try harness.answer(.apiVersions, version: 0, as: ApiVersionsResponse.self)
    }

    @Test func aRepeatedBatchIsAnsweredWithItsFirstOffset() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        let first = BatchProducer(id: 9, epoch: 0, baseSequence: 0)
        #expect(try harness.produce("t", ["a"], producer: first).baseOffset == 0)
        let second = BatchProducer(id: 9, epoch: 0, baseSequence: 1)
        #expect(try harness.produce("t", ["b"], producer: second).baseOffset == 1)
        #expect(try harness.produce("t", ["b"], producer: second).baseOffset == 1)
        let gap = BatchProducer(id: 9, epoch: 0, baseSequence: 7)
        let refused = try harness.produce("t", ["c"], producer: gap)
        #expect(refused.errorCode == ErrorCode.outOfOrderSequenceNumber.rawValue)
        try harness.fetch("t")
        #expect(try harness.fetched() == ["a", "b"])
    }

    @Test func aFailedWriteIsAnErrorAndTheDirectoryServesNoMore() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        #expect(try harness.produce("t", ["kept"]).errorCode == 0)
        harness.fault = FileFault(operation: "write", path: "/data/t-0", code: 28)
        let lost = try harness.produce("t", ["lost"])
        #expect(lost.errorCode == ErrorCode.kafkaStorageError.rawValue)
        harness.fault = nil
        let after = try harness.produce("t", ["after"])
        #expect(after.errorCode == ErrorCode.kafkaStorageError.rawValue)
        #expect(harness.directory.offlineCause?.isDiskFull == true)
    }

    @Test func whatIsNoRequestClosesTheConnection() throws {
        let harness = try ShardHarness()
        for frame: [UInt8] in [[], [0], [0, 18], [0x7F, 0xFF, 0, 0, 0, 0, 0, 1, 0xFF, 0xFF]] {
            let before = harness.closed.count
            harness.send(frame: frame)
            #expect(harness.closed.count == before + 1)
        }
        #expect(harness.answers.isEmpty)
    }

    @Test func aNewerApiVersionsIsAnsweredInVersionZero() throws {
        let harness = try ShardHarness()
        harness.send(frame: [0, 18, 0, 99, 0, 0, 0, 1, 0xFF, 0xFF, 0, 0, 0, 0])
        let answer = try harness.answer(.apiVersions, version: 0, as: ApiVersionsResponse.self)
        #expect(answer.body.errorCode == ErrorCode.unsupportedVersion.rawValue)
        #expect(answer.body.apiKeys.map(\.apiKey) == [18])
    }

    @Test func withoutAcknowledgementAnErrorClosesTheConnection() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        try harness.sendProduce("t", ["a"], acks: 0)
        #expect(harness.answers.isEmpty && harness.closed.isEmpty)
        try harness.sendProduce("nowhere", ["a"], acks: 0)
        #expect(harness.answers.isEmpty && harness.closed.count == 1)
    }

    @Test func offsetsAreFoundByTimeAndAtBothEnds() throws {
        let harness = try ShardHarness(shards: 3)
        harness.makeTopic("t", partitions: 2)
        _ = try harness.produce("t", partition: 1, ["a", "b"])
        harness.pass(.seconds(10))
        _ = try harness.produce("t", partition: 1, ["c"])
        for (timestamp, offset) in [(-1, 3), (-2, 0), (harness.now.timestamp.rawValue, 2)] {
            var request = ListOffsetsRequest()
            request.replicaId = -1
            var topic = ListOffsetsRequest.Topic()
            topic.name = "t"
            var partition = ListOffsetsRequest.Topic.Partition()
            (partition.partitionIndex, partition.timestamp) = (1, timestamp)
            partition.currentLeaderEpoch = -1
            topic.partitions = [partition]
            request.topics = [topic]
            try harness.send(request, .listOffsets, version: 5)
            let answer = try harness.answer(
                .listOffsets, version: 5, as: ListOffsetsResponse.self)
            #expect(answer.body.topics.first?.partitions.first?.offset == Int64(offset))
        }
    }

    @Test func whatIsDrawnFollowsFromTheSeed() throws {
        func names() throws -> [String] {
            let harness = try ShardHarness()
            for name in ["a", "b"] { harness.deleteTopic(harness.makeTopic(name)) }
            return try harness.directory.deletedNames()
        }
        let (first, second) = (try names(), try names())
        #expect(first.count == 2 && first == second)
    }

    @Test func logsAreClosedOnceWhatIsBeingWrittenIsWritten() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        harness.holdsWrites = true
        try harness.sendProduce("t", ["a"])
        #expect(harness.answers.isEmpty && harness.shards[0].isBusy)
        harness.finishWrites()
        #expect(harness.answers.count == 1 && !harness.shards[0].isBusy)
        #expect(harness.shards[0].closeLogs())
    }

    /// On Linux a write after one that failed may succeed.
    @Test(arguments: [[0, 0, 0], [0, 1, 1]] as [[Int32]])
    func afterAFailedWriteNothingCountsAsWrittenAndAllAreAnswered(partitions: [Int32]) throws {
        let harness = try ShardHarness()
        harness.makeTopic("t", partitions: 2)
        harness.holdsWrites = true
        harness.faults = [FileFault(operation: "write", path: "/data/t-0", code: 5), nil, nil]
        for partition in partitions { try harness.sendProduce("t", partition: partition, ["a"]) }
        harness.finishWrites()
        #expect(harness.answers.count == 3 && !harness.shards[0].isBusy)
        #expect(harness.directory.offlineCause != nil && !harness.shards[0].closeLogs())
        let last = try harness.answer(.produce, version: 9, as: ProduceResponse.self).body
        #expect(
            last.responses.first?.partitionResponses.first?.errorCode
                == ErrorCode.kafkaStorageError.rawValue)
        try harness.fetch("t", partitions: [1])
        #expect(try harness.fetched().isEmpty)
    }

    /// Start offsets of a log that cannot be opened now are wanted once it can.
    @Test func checkpointsKeepWhatWasFoundOfALogThatCannotBeOpened() throws {
        var harness = try ShardHarness()
        harness.makeTopic("t")
        _ = try harness.produce("t", ["a", "b", "c"])
        harness.pass(.seconds(61))
        let found = harness.shards[0].checkpoints()
        #expect(harness.shards[0].closeLogs())
        try harness.directory.close(brokerEpoch: 1)
        try harness.fileSystem.replaceContents(
            "/data/t-0/partition.metadata", with: Array("nonsense".utf8))
        harness = try harness.restarted()
        #expect(!harness.shards[0].hasMetadata)
        let id = harness.makeTopic("t")
        #expect(harness.shards[0].hasMetadata)
        #expect(harness.shards[0].checkpoints().highWatermarks == found.highWatermarks)
        harness.deleteTopic(id)
        #expect(harness.shards[0].checkpoints().highWatermarks.isEmpty)
    }

    @Test func manyOrLargeRequestsThatWaitPauseTheirConnection() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        for _ in 0..<511 { try harness.fetch("t", waitMs: 500) }
        #expect(!harness.isPaused)
        try harness.fetch("t", waitMs: 500)
        #expect(harness.isPaused)
        harness.pass(.milliseconds(500))
        #expect(!harness.isPaused && harness.answers.count == 512)

        // A fetch of 26 bytes a partition.
        let partitions = Array(repeating: Int32(0), count: 200_000)
        try harness.fetch("t", partitions: partitions, waitMs: 500)
        #expect(!harness.isPaused)
        try harness.fetch("t", partitions: partitions, waitMs: 500)
        #expect(harness.isPaused)
        harness.pass(.milliseconds(500))
        #expect(!harness.isPaused && harness.answers.count == 514)
    }

    @Test func answersThatWaitForAnEarlierOneAreBounded() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        try harness.fetch("t", waitMs: 500)
        for _ in 0..<100 {
            var request = MetadataRequest()
            request.topics = (0..<3_000).map {
                var topic = MetadataRequest.Topic()
                topic.name = String(repeating: "x", count: 200) + "\($0)"
                return topic
            }
            try harness.send(request, .metadata, version: 9)
            if harness.isPaused { break }
        }
        #expect(harness.isPaused && harness.answers.isEmpty)
        harness.pass(.milliseconds(500))
        #expect(!harness.isPaused && harness.answers.count > 5)
    }

    @Test func whatABatchMayHoldInflatedIsASetting() throws {
        let values = [String(repeating: "x", count: 1_100_000)]
        for (limit, code) in [(1_048_576, ErrorCode.messageTooLarge), (2_097_152, .none)] {
            let harness = try ShardHarness(settings: ["millrace.batch.inflated.max.bytes=\(limit)"])
            harness.makeTopic("t")
            #expect(try harness.produce("t", values, codec: .zstd).errorCode == code.rawValue)
        }
    }

    @Test func whatARequestMayTakeInMemoryIsASetting() throws {
        for (limit, closes) in [(1_048_576, 1), (134_217_728, 0)] {
            let harness = try ShardHarness(
                settings: ["millrace.request.decoded.max.bytes=\(limit)"])
            harness.makeTopic("t")
            try harness.fetch("t", partitions: Array(repeating: 0, count: 50_000))
            #expect(harness.closed.count == closes)
        }
    }

    @Test func limitsOfConnectionsFollowTheClustersMetadata() throws {
        let harness = try ShardHarness(shards: 3, settings: ["max.connections=9"])
        #expect(harness.settings.network.limits.total == 9)
        try harness.configureBrokers("max.connections", "5")
        try harness.configureBrokers("max.connections.per.ip.overrides", "10.0.0.1:2,::1:3")
        try harness.configureBrokers("max.connections", nil)
        #expect(harness.networks.map(\.limits.total) == [5, 5, 9])
        #expect(harness.networks.last?.limits.overrides == ["10.0.0.1": 2, "::1": 3])
        let rules = ConfigRules(view: BrokerConfigView(fixed: harness.settings.config))
        let key = "max.connections.per.ip.overrides"
        #expect(rules.refusal(ofBroker: [key: "10.0.0.1"], forAll: true)?.contains(key) == true)
        #expect(rules.refusal(ofBroker: [key: "10.0.0.1:1"], forAll: true) == nil)
    }

    @Test func certificatesFollowTheClustersMetadata() throws {
        let harness = try ShardHarness(settings: [
            "listeners=PLAINTEXT://127.0.0.1:9092,TLS://127.0.0.1:9093",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,TLS:SSL",
            "ssl.keystore.type=PEM", "ssl.keystore.location=/all.pem",
            "listener.name.tls.ssl.keystore.location=/fixed.pem",
        ])
        func files() -> [PEMSource?] { harness.networks.map { $0.tls["TLS"]?.certificateChain } }
        try harness.configureBrokers("max.connections", "5")
        try harness.configureBroker("ssl.keystore.location", "/other.pem")
        try harness.configureBroker("listener.name.tls.ssl.keystore.location", "/new.pem")
        try harness.configureBroker("listener.name.tls.ssl.client.auth", "required")
        #expect(
            files() == [.file("/fixed.pem"), .file("/fixed.pem"), .file("/new.pem")]
                + [.file("/new.pem")])
        #expect(harness.networks.last?.tls["TLS"]?.clientAuthentication == .required)
        #expect(harness.networks.allSatisfy { $0.tls["PLAINTEXT"] == nil })
        // What cannot be read changes nothing.
        try harness.configureBroker("listener.name.tls.ssl.keystore.type", "JKS")
        #expect(harness.networks.count == 4)
        try harness.configureBroker("listener.name.tls.ssl.keystore.type", nil)
        try harness.configureBroker("listener.name.tls.ssl.keystore.location", nil)
        #expect(files().last == .file("/fixed.pem"))
    }

    @Test func retentionOfAllBrokersHoldsForTopicsAtOnce() throws {
        let harness = try ShardHarness(settings: ["log.initial.task.delay.ms=100"])
        harness.makeTopic("t")
        _ = try harness.produce("t", ["a"])
        try harness.configureBrokers("log.retention.ms", "3600000")
        harness.pass(.seconds(1_800))
        try harness.fetch("t")
        #expect(try harness.fetched() == ["a"])
        for _ in 0..<8 { harness.pass(.seconds(300)) }
        try harness.fetch("t")
        let answer = try harness.answer(.fetch, version: 12, as: FetchResponse.self)
        #expect(
            answer.body.responses.first?.partitions.first?.errorCode
                == ErrorCode.offsetOutOfRange.rawValue)
    }

    /// Segments are as old as their records say, by a clock that did not jump.
    @Test(arguments: [365, -365])
    func aClockThatJumpsByAYearAndBackDeletesNothingEarly(days: Int64) throws {
        let harness = try ShardHarness(settings: ["log.initial.task.delay.ms=100"])
        harness.makeTopic("t", ["retention.ms": "3600000"])
        _ = try harness.produce("t", ["a"])
        func jump(_ sign: Int64) {
            let ms = harness.now.timestamp.rawValue + sign * days * 86_400_000
            harness.now.timestamp = Timestamp(ms)
        }
        harness.pass(.seconds(300))
        jump(1)
        for _ in 0..<5 { harness.pass(.seconds(300)) }
        try harness.fetch("t")
        #expect(try harness.fetched() == ["a"], "not by a clock that is ahead")
        jump(-1)
        for _ in 0..<5 { harness.pass(.seconds(300)) }
        try harness.fetch("t")
        #expect(try harness.fetched() == ["a"], "not after it came back")
        for _ in 0..<3 { harness.pass(.seconds(300)) }
        try harness.fetch("t")
        let answer = try harness.answer(.fetch, version: 12, as: FetchResponse.self)
        #expect(
            answer.body.responses.first?.partitions.first?.errorCode
                == ErrorCode.offsetOutOfRange.rawValue, "but when it is due")
    }

    @Test func slotsOfDeletedPartitionsAreUsedAgainOnceNothingIsUnderWay() throws {
        let harness = try ShardHarness()
        for round: UInt64 in 0..<20 {
            let id = harness.makeTopic("t", partitions: 2, incarnation: round)
            for partition: Int32 in 0..<2 {
                #expect(try harness.produce("t", partition: partition, ["a"]).baseOffset == 0)
            }
            try harness.fetch("t", partitions: [0, 1], from: 1, waitMs: 500)
            harness.deleteTopic(id)
        }
        #expect(harness.slots.count == 2)
        let id = harness.makeTopic("t", incarnation: 20)
        harness.holdsWrites = true
        try harness.sendProduce("t", ["late"])
        harness.deleteTopic(id)
        harness.makeTopic("t", incarnation: 21)
        harness.finishWrites()
        #expect(try harness.produce("t", ["new"]).baseOffset == 0)
        try harness.fetch("t")
        #expect(try harness.fetched() == ["new"])
    }

    @Test func frameBytesAtRandomNeverTrap() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<5_000 {
            let api = HandlerTable.all.randomElement(using: &generator)?.api ?? .produce
            let version = Int16.random(in: 0...13, using: &generator)
            let count = Int.random(in: 0...120, using: &generator)
            let body = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            harness.send(
                frame: [0, UInt8(api.rawValue), 0, UInt8(version), 0, 0, 0, 1, 0xFF, 0xFF] + body)
        }
        #expect(harness.closed.count > 1_000)
    }
}
