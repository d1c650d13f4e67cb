import Broker
import MillraceBase
import MillraceProtocol
import Storage
import Testing

/// Fetches that wait, and their sessions.
struct FetchTests {
    @Test(arguments: [1, 3])
    func fetchesThatWaitedInVainLeaveNothingBehind(shards: Int) throws {
        let harness = try ShardHarness(shards: shards)
        harness.makeTopic("t", partitions: 4)
        let idle = harness.shards.map(\.nextDeadline)
        for _ in 0..<20 {
            try harness.fetch("t", partitions: [0, 1, 2, 3], waitMs: 5)
            harness.pass(.milliseconds(5))
        }
        #expect(harness.answers.count == 20)
        for partition: Int32 in 0..<4 { try harness.sendProduce("t", partition: partition, ["x"]) }
        #expect(harness.wakes == 0)
        #expect(harness.shards.map(\.nextDeadline) == idle)
    }

    @Test func aFetchThatWasAnsweredIsToldNothingMore() throws {
        let harness = try ShardHarness(shards: 3)
        harness.makeTopic("t", partitions: 8)
        try harness.fetch("t", partitions: [0, 1, 2, 3, 4, 5, 6, 7], waitMs: 500)
        for partition: Int32 in 0..<8 { try harness.sendProduce("t", partition: partition, ["x"]) }
        #expect(harness.answers.count == 9)
        #expect(harness.wakes <= 1)
    }

    @Test func whatComesWhileOtherShardsReadIsNotMissed() throws {
        for partition: Int32 in 0..<4 {
            let harness = try ShardHarness(shards: 3)
            harness.makeTopic("t", partitions: 4)
            harness.holdsFetched = true
            try harness.fetch("t", partitions: [0, 1, 2, 3], waitMs: 500)
            try harness.sendProduce("t", partition: partition, ["x"], acks: 0)
            #expect(harness.answers.isEmpty)
            harness.finishFetches()
            #expect(harness.answers.count == 1, "partition \(partition)")
            #expect(try harness.fetched() == ["x"])
        }
    }

    @Test(arguments: [1, 3])
    func theFetchesOfAConnectionEndWithIt(shards: Int) throws {
        let harness = try ShardHarness(shards: shards)
        harness.makeTopic("t", partitions: 4)
        let idle = harness.shards.map(\.nextDeadline)
        try harness.fetch("t", partitions: [0, 1, 2, 3], waitMs: 500)
        #expect(harness.shards[0].nextDeadline != idle[0])
        harness.reconnect()
        #expect(harness.shards.map(\.nextDeadline) == idle)
        for partition: Int32 in 0..<4 { try harness.sendProduce("t", partition: partition, ["x"]) }
        #expect(harness.wakes == 0)
        #expect(harness.answers.count == 4, "only the produces are answered")
    }

    @Test(arguments: [1, 3])
    func aFetchThatFoundTooLittleIsToldOfMore(shards: Int) throws {
        let harness = try ShardHarness(shards: shards)
        harness.makeTopic("t", partitions: 4)
        for partition: Int32 in 0..<4 {
            _ = try harness.produce("t", partition: partition, ["a"])
            harness.answers = []
            try harness.fetch("t", partitions: [partition], waitMs: 500, bytesMin: 100)
            #expect(harness.answers.isEmpty)
            try harness.sendProduce("t", partition: partition, ["b"])
            #expect(harness.answers.count == 2, "partition \(partition)")
        }
    }

    @Test func whoAsksForMoreThanAnAnswerMayHoldDoesNotWaitForIt() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        for _ in 0..<3 {
            _ = try harness.produce("t", [String(repeating: "x", count: 500)])
        }
        harness.answers = []
        try harness.fetch("t", waitMs: 500, bytesMin: 1 << 20, bytesMax: 1_024)
        #expect(harness.answers.count == 1)
    }

    @Test(arguments: [1, 3])
    func aLimitBelowZeroIsRefusedWhereverThePartitionIs(shards: Int) throws {
        let harness = try ShardHarness(shards: shards)
        harness.makeTopic("t", partitions: 4)
        for partition: Int32 in 0..<4 {
            _ = try harness.produce("t", partition: partition, ["a"])
            try harness.fetch("t", partitions: [partition], bytesMax: -1)
            let answer = try harness.answer(.fetch, version: 12, as: FetchResponse.self)
            let code = answer.body.responses.first?.partitions.first?.errorCode
            #expect(code == ErrorCode.invalidRequest.rawValue)
        }
    }

    @Test func aPartitionThatIsNamedTwiceIsAnsweredOnce() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        _ = try harness.produce("t", ["a"])
        try harness.fetch("t", partitions: [0, 0, 0])
        #expect(try harness.fetched() == ["a"])
    }

    // MARK: sessions

    private func fetch(
        _ harness: ShardHarness, session: Int32, epoch: Int32, _ partitions: [Int32],
        forgetting: [Int32] = []
    ) throws -> FetchResponse {
        var request = FetchRequest()
        (request.maxBytes, request.sessionId, request.sessionEpoch) = (1 << 20, session, epoch)
        var topic = FetchRequest.Topic()
        topic.topic = "t"
        topic.partitions = partitions.map { index in
            var partition = FetchRequest.Topic.Partition()
            (partition.partition, partition.partitionMaxBytes) = (index, 1 << 20)
            return partition
        }
        request.topics = partitions.isEmpty ? [] : [topic]
        if !forgetting.isEmpty {
            var forgotten = FetchRequest.ForgottenTopicsData()
            (forgotten.topic, forgotten.partitions) = ("t", forgetting)
            request.forgottenTopicsData = [forgotten]
        }
        try harness.send(request, .fetch, version: 12)
        return try harness.answer(.fetch, version: 12, as: FetchResponse.self).body
    }

    @Test func aSessionEndsWithItsLastPartition() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t", partitions: 2)
        let id = try fetch(harness, session: 0, epoch: 0, [0, 1]).sessionId
        #expect(id != 0)
        let some = try fetch(harness, session: id, epoch: 1, [], forgetting: [1])
        #expect(some.sessionId == id && some.errorCode == 0)
        let none = try fetch(harness, session: id, epoch: 2, [], forgetting: [0])
        #expect(none.sessionId == 0 && none.errorCode == 0 && none.responses.isEmpty)
        let gone = try fetch(harness, session: id, epoch: 3, [])
        #expect(gone.errorCode == ErrorCode.fetchSessionIdNotFound.rawValue)
    }

    @Test func partitionsThatGaveDataAreReadLastNextTime() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t", partitions: 3)
        let id = try fetch(harness, session: 0, epoch: 0, [0, 1, 2]).sessionId
        _ = try harness.produce("t", partition: 0, ["a"])
        let first = try fetch(harness, session: id, epoch: 1, [])
        #expect(first.responses.flatMap(\.partitions).map(\.partitionIndex) == [0])
        for partition: Int32 in [1, 2] { _ = try harness.produce("t", partition: partition, ["a"]) }
        let second = try fetch(harness, session: id, epoch: 2, [])
        #expect(second.responses.flatMap(\.partitions).map(\.partitionIndex) == [1, 2, 0])
    }
}
