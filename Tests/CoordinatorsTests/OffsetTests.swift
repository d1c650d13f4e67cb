import Coordinators
import MillraceBase
import MillraceProtocol
import Testing

@Suite struct OffsetTests {
    @Test func simpleGroupCommitsWithoutMembers() throws {
        let group = GroupHarness()
        #expect(group.answer(group.commit(4)) == .commit([.none]))
        #expect(group.groupIDs(["empty"]) == ["g"])
        #expect(group.offsets()?.map(\.name) == ["t"])
    }

    @Test func commitIsAnsweredAndReadOnlyWhenItIsCommitted() throws {
        let group = GroupHarness()
        group.commitsAtOnce = false
        let token = group.commit(4)
        #expect(group.replies[token] == nil)
        #expect(group.offsets() == nil)
        group.commitNext()
        #expect(group.replies[token] == .commit([.none]))
        #expect(group.unanswered.isEmpty)
        #expect(group.offsets()?.first?.partitions.first?.offset == 4)
    }

    @Test func commitsAreCheckedAgainstTheGroup() throws {
        let group = GroupHarness()
        #expect(group.answer(group.commit(1, generation: 3)) == .failed(.illegalGeneration))
        let (member, generation) = try group.stable()
        #expect(group.answer(group.commit(1)) == .failed(.unknownMemberId))
        #expect(
            group.answer(group.commit(1, member: member, generation: generation + 1))
                == .failed(.illegalGeneration))
        #expect(
            group.answer(group.commit(1, member: "x", generation: generation))
                == .failed(.unknownMemberId))
        #expect(
            group.answer(group.commit(1, member: member, generation: generation))
                == .commit([.none]))
        let long = String(repeating: "x", count: 4_097)
        #expect(
            group.answer(
                group.commit(1, member: member, generation: generation, metadata: long))
                == .commit([.offsetMetadataTooLarge]))
        group.join(member)
        #expect(
            group.answer(group.commit(1, member: member, generation: generation + 1))
                == .failed(.rebalanceInProgress))
    }

    @Test func commitTooLargeForOneBatchIsRefused() {
        var settings = GroupSettings.quick
        settings.appendBytesMax = 60
        let group = GroupHarness(settings)
        #expect(group.answer(group.commit(1)) == .failed(.invalidCommitOffsetSize))
        #expect(group.groupIDs() == [])
    }

    @Test func offsetsExpireAndTheGroupWithThem() throws {
        var settings = GroupSettings.quick
        settings.offsetsRetention = .seconds(1_000)
        settings.offsetsRetentionCheckInterval = .seconds(10)
        let group = GroupHarness(settings)
        let (member, generation) = try group.stable()
        group.commit(1, member: member, generation: generation)
        group.commit(5, group: "simple")
        for _ in 0..<300 {
            group.pass(.seconds(5))
            #expect(group.heartbeat(member, generation) == ErrorCode.none)
        }
        #expect(group.groupIDs() == ["g"], "the simple group's time is over")
        #expect(group.offsets()?.count == 1, "members hold their group's offsets")
        group.leave([(id: member, instance: nil)])
        group.pass(.seconds(900))
        #expect(group.offsets()?.count == 1)
        group.pass(.seconds(200))
        #expect(group.groupIDs() == [])
        #expect(group.log.suffix(2).allSatisfy { $0.value == nil }, "tombstones")
        group.loseLeadership()
        #expect(group.groupIDs() == [])
    }

    @Test func offsetsOfOldClientsExpireWhenTheySaid() {
        var settings = GroupSettings.quick
        settings.offsetsRetentionCheckInterval = .seconds(1)
        let group = GroupHarness(settings)
        group.commit(1, retention: 5_000)
        group.loseLeadership()
        group.pass(.milliseconds(3_500))
        #expect(group.offsets()?.count == 1)
        group.pass(.milliseconds(2_500))
        #expect(group.offsets()?.isEmpty == true)
    }

    @Test func aClockThatJumpsExpiresNothingEarly() {
        var settings = GroupSettings.quick
        settings.offsetsRetention = .seconds(1_000)
        settings.offsetsRetentionCheckInterval = .seconds(10)
        let group = GroupHarness(settings)
        group.commit(1)
        group.commit(1, group: "old client", retention: 900_000)
        let year: Int64 = 365 * 86_400_000
        for jump in [year, -2 * year, year] {
            group.now.timestamp = Timestamp(group.now.timestamp.rawValue + jump)
            group.pass(.seconds(100))
            #expect(group.groupIDs() == ["g", "old client"])
        }
        group.pass(.seconds(800))
        #expect(group.groupIDs() == [], "time that passed still counts")
    }

    @Test func offsetsGoWithTheirTopic() {
        let group = GroupHarness()
        group.commit(1)
        group.commit(2, topic: "u")
        group.commit(3, group: "h")
        group.step(.topicsDeleted(["t"]))
        #expect(group.offsets()?.map(\.name) == ["u"])
        #expect(group.offsets(of: "h") == [])
        group.loseLeadership()
        #expect(group.offsets()?.map(\.name) == ["u"])
    }

    @Test func offsetsOfAnotherTopicOfTheSameNameAreForgotten() {
        let group = GroupHarness()
        let (old, new) = (Uuid(high: 1, low: 1), Uuid(high: 2, low: 2))
        group.commit(1, partition: 0, topicID: old)
        group.commit(2, partition: 1, topicID: new)
        group.commit(3, partition: 2)
        group.step(.topicReplaced("t", by: new))
        #expect(group.offsets()?.first?.partitions.map(\.index) == [1, 2])
        group.loseLeadership()
        #expect(group.offsets()?.first?.partitions.map(\.index) == [1, 2])
    }

    @Test func deletingAGroupOfManyOffsetsTakesSeveralBatches() {
        var settings = GroupSettings.quick
        settings.appendBytesMax = 300
        let group = GroupHarness(settings)
        for partition in 0..<20 { group.commit(1, partition: Int32(partition)) }
        group.commitsAtOnce = false
        let token = group.ask(.delete(group: "g"))
        #expect(group.appended.count > 3)
        while group.appended.count > 1 {
            group.commitNext()
            #expect(group.replies[token] == nil)
        }
        group.commitNext()
        #expect(group.replies[token] == .deleted(.none))
        #expect(group.groupIDs() == [])
    }

    @Test func subscribedTopicsKeepTheirOffsets() throws {
        let group = GroupHarness()
        var subscription = ConsumerProtocolSubscription()
        subscription.topics = ["t"]
        let metadata = try CoordinatorFraming.bytes(subscription, version: 1)
        let protocols = [("range", metadata)]
        let id = try #require(group.joined(group.join(version: 3, protocols: protocols))).memberId
        group.sync(id, 1, [id: [1]])
        group.commit(1, member: id, generation: 1)
        group.commit(1, topic: "u", member: id, generation: 1)
        var request = OffsetDeleteRequest()
        request.groupId = "g"
        request.topics = ["t", "u"].map { name in
            var topic = OffsetDeleteRequest.Topic()
            topic.name = name
            topic.partitions = [OffsetDeleteRequest.Topic.Partition()]
            return topic
        }
        let token = group.ask(.deleteOffsets(request))
        #expect(group.replies[token] == .deletedOffsets([.groupSubscribedToTopic, .none]))
        #expect(group.offsets()?.map(\.name) == ["t"])
    }

    @Test func onlyCommittedTransactionsCountWhenTheLogIsRead() {
        let source = GroupHarness()
        source.commit(1)
        source.commit(2, partition: 1)
        var machine = GroupCoordinator(settings: .quick, generator: SeededGenerator(seed: 1))
        var effects: [GroupEffect] = []
        let now = source.now
        machine.step(.replay(source.log[0], transaction: 8), at: now, into: &effects)
        machine.step(.replay(source.log[1], transaction: 9), at: now, into: &effects)
        machine.step(.replayEnd(transaction: 8, isCommit: true), at: now, into: &effects)
        machine.step(.replayEnd(transaction: 9, isCommit: false), at: now, into: &effects)
        machine.step(.loaded, at: now, into: &effects)
        source.machine = machine
        #expect(source.offsets()?.first?.partitions.map(\.index) == [0])
    }
}
