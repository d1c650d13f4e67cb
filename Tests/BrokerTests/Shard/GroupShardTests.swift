import Broker
import MillraceBase
import MillraceProtocol
import Storage
import Testing

/// Groups through whole shards: requests, coordinators of several partitions, their logs.
@Suite struct GroupShardTests {
    private func commit(
        _ harness: ShardHarness, _ group: String, _ offset: Int64
    ) throws -> ErrorCode {
        var request = OffsetCommitRequest()
        request.groupId = group
        var topic = OffsetCommitRequest.Topic()
        topic.name = "t"
        var partition = OffsetCommitRequest.Topic.Partition()
        (partition.committedOffset, partition.committedMetadata) = (offset, "m")
        topic.partitions = [partition]
        request.topics = [topic]
        try harness.send(request, .offsetCommit, version: 8)
        let answer = try harness.answer(.offsetCommit, version: 8, as: OffsetCommitResponse.self)
        let place = try #require(answer.body.topics.first?.partitions.first)
        return ErrorCode(rawValue: place.errorCode)
    }

    private func offsets(_ harness: ShardHarness, _ groups: [String]) throws -> [Int64] {
        var request = OffsetFetchRequest()
        request.groups = groups.map { group in
            var asked = OffsetFetchRequest.Group()
            (asked.groupId, asked.topics) = (group, nil)
            return asked
        }
        try harness.send(request, .offsetFetch, version: 8)
        let answer = try harness.answer(.offsetFetch, version: 8, as: OffsetFetchResponse.self)
        #expect(answer.body.groups.map(\.groupId) == groups, "answers are in order")
        return answer.body.groups.map { $0.topics.first?.partitions.first?.committedOffset ?? -1 }
    }

    @Test(arguments: [1, 3]) func groupsOfAllPartitionsAnswerOneConnection(shards: Int) throws {
        let harness = try ShardHarness(shards: shards)
        harness.makeTopic("t")
        harness.makeTopic("__consumer_offsets", partitions: 4)
        let groups = (0..<12).map { "group-\($0)" }
        for (index, group) in groups.enumerated() {
            #expect(try commit(harness, group, Int64(index)) == .none)
        }
        #expect(try offsets(harness, groups) == Array(0..<12))
        try harness.send(ListGroupsRequest(), .listGroups, version: 4)
        let list = try harness.answer(.listGroups, version: 4, as: ListGroupsResponse.self)
        #expect(list.body.groups.map(\.groupId).sorted() == groups.sorted())
        var request = DeleteGroupsRequest()
        request.groupsNames = ["group-3", "nobody", "group-3"]
        try harness.send(request, .deleteGroups, version: 2)
        let deleted = try harness.answer(.deleteGroups, version: 2, as: DeleteGroupsResponse.self)
        #expect(deleted.body.results.map(\.errorCode) == [0, ErrorCode.groupIdNotFound.rawValue])
        #expect(try offsets(harness, ["group-2", "group-3"]) == [2, -1])
    }

    @Test func firstQuestionForACoordinatorMakesTheTopic() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        var request = FindCoordinatorRequest()
        request.coordinatorKeys = ["g"]
        try harness.send(request, .findCoordinator, version: 4)
        let answer = try harness.answer(
            .findCoordinator, version: 4, as: FindCoordinatorResponse.self)
        let code = try #require(answer.body.coordinators.first?.errorCode)
        #expect(code == ErrorCode.coordinatorNotAvailable.rawValue)
        let made = harness.control.contains { message in
            if case .createTopics(let names) = message {
                names == ["__consumer_offsets"]
            } else {
                false
            }
        }
        #expect(made)
        #expect(try commit(harness, "g", 1) == .notCoordinator)
    }

    @Test func failedWriteOfACommitIsToldAndTheStateIsDropped() throws {
        let harness = try ShardHarness()
        harness.makeTopic("t")
        harness.makeTopic("__consumer_offsets", partitions: 1)
        #expect(try commit(harness, "g", 1) == .none)
        harness.fault = FileFault(operation: "write", path: "/data/x", code: 28)
        #expect(try commit(harness, "g", 2) == .notCoordinator)
        harness.fault = nil
        harness.pass(.seconds(5))
        #expect(try commit(harness, "g", 3) == .notCoordinator, "the directory is offline")
    }

    @Test func deletedTopicTakesItsOffsetsAlong() throws {
        let harness = try ShardHarness(shards: 3)
        let topic = harness.makeTopic("t")
        harness.makeTopic("__consumer_offsets", partitions: 4)
        #expect(try commit(harness, "g", 1) == .none)
        harness.deleteTopic(topic)
        #expect(try offsets(harness, ["g"]) == [-1])
    }

    @Test func sessionsEndByTheShardsClock() throws {
        let harness = try ShardHarness(settings: ["group.initial.rebalance.delay.ms=0"])
        harness.makeTopic("__consumer_offsets", partitions: 2)
        var join = JoinGroupRequest()
        (join.groupId, join.protocolType) = ("g", "consumer")
        (join.sessionTimeoutMs, join.rebalanceTimeoutMs) = (6_000, 6_000)
        join.protocols.append(.init())
        join.protocols[0].name = "range"
        try harness.send(join, .joinGroup, version: 2)
        let joined = try harness.answer(.joinGroup, version: 2, as: JoinGroupResponse.self).body
        #expect(joined.errorCode == 0)
        var sync = SyncGroupRequest()
        (sync.groupId, sync.memberId, sync.generationId) = ("g", joined.memberId, 1)
        try harness.send(sync, .syncGroup, version: 2)
        var heartbeat = HeartbeatRequest()
        (heartbeat.groupId, heartbeat.memberId) = ("g", joined.memberId)
        heartbeat.generationId = 1
        for (wait, code) in [(5, ErrorCode.none), (5, .none), (7, .unknownMemberId)] {
            harness.pass(.seconds(wait))
            try harness.send(heartbeat, .heartbeat, version: 2)
            let answer = try harness.answer(.heartbeat, version: 2, as: HeartbeatResponse.self)
            #expect(ErrorCode(rawValue: answer.body.errorCode) == code)
        }
    }
}
