import Coordinators
import MillraceBase
import MillraceProtocol
import Testing

@Suite struct MembershipTests {
    @Test func firstJoinGetsAnIDAndTheSecondAGeneration() throws {
        let group = GroupHarness()
        let first = try #require(group.joined(group.join()))
        #expect(first.errorCode == ErrorCode.memberIdRequired.rawValue)
        #expect(first.memberId.hasPrefix("c-"))
        #expect(first.generationId == -1)
        let second = try #require(group.joined(group.join(first.memberId)))
        #expect(second.errorCode == 0)
        #expect(second.generationId == 1)
        #expect(second.leader == first.memberId)
        #expect(second.members.map(\.memberId) == [first.memberId])
    }

    @Test func clientsBeforeVersionFourJoinAtOnce() throws {
        let group = GroupHarness()
        let answer = try #require(group.joined(group.join(version: 3)))
        #expect(answer.errorCode == 0)
        #expect(answer.generationId == 1)
    }

    @Test func initialDelayIsExtendedWhileMembersJoinUpToTheRebalanceTimeout() throws {
        var settings = GroupSettings()
        settings.initialRebalanceDelay = .seconds(3)
        let group = GroupHarness(settings)
        var waiting = [group.join(version: 3, rebalance: 7_000)]
        for _ in 0..<2 {
            group.pass(.seconds(2))
            waiting.append(group.join(version: 3, rebalance: 7_000))
            #expect(group.unanswered.count == waiting.count)
        }
        // 3 s, extended by 3 s, and by the 1 s that is left of seven.
        group.pass(.milliseconds(2_900))
        #expect(group.unanswered.count == 3)
        group.pass(.milliseconds(200))
        #expect(group.unanswered.isEmpty)
        let answers = try waiting.map { try #require(group.joined($0)) }
        #expect(Set(answers.map(\.generationId)) == [1])
        #expect(answers.filter { !$0.members.isEmpty }.map(\.members.count) == [3])
    }

    @Test func whoComesAfterTheOnlyMemberLeftDuringTheInitialDelayIsTaken() throws {
        var settings = GroupSettings()
        settings.initialRebalanceDelay = .seconds(3)
        let group = GroupHarness(settings)
        let id = try #require(group.joined(group.join())).memberId
        group.join(id)
        group.pass(.seconds(1))
        group.leave([(id, nil)])
        let token = group.join(version: 3, protocols: [("roundrobin", [1])])
        group.pass(.seconds(7))
        let answer = try #require(group.joined(token))
        #expect(answer.errorCode == 0 && answer.members.count == 1)
        #expect(answer.protocolName == "roundrobin")
    }

    @Test func memberThatDoesNotJoinAgainIsPutOutAfterTheRebalanceTimeout() throws {
        let group = GroupHarness()
        let (old, generation) = try group.stable()
        let token = group.join(version: 3, rebalance: 5_000)
        #expect(group.heartbeat(old, generation) == .rebalanceInProgress)
        for _ in 0..<11 {
            group.pass(.seconds(5))
            #expect(group.joined(token) == nil)
            #expect(group.heartbeat(old, generation) == .rebalanceInProgress)
        }
        group.pass(.seconds(6))
        let answer = try #require(group.joined(token))
        #expect(answer.generationId == 2)
        #expect(answer.leader == answer.memberId)
        #expect(answer.members.count == 1)
        #expect(group.heartbeat(old, generation) == .unknownMemberId)
    }

    @Test func silentMemberIsPutOutAfterItsSession() throws {
        let group = GroupHarness()
        let (member, generation) = try group.stable()
        group.pass(.milliseconds(9_900))
        #expect(group.heartbeat(member, generation) == ErrorCode.none)
        group.pass(.milliseconds(9_900))
        #expect(group.describe()?.groupState == "Stable")
        group.pass(.milliseconds(200))
        #expect(group.describe()?.groupState == "Empty")
        #expect(group.heartbeat(member, generation) == .unknownMemberId)
    }

    @Test func idThatDoesNotComeBackIsForgotten() throws {
        let group = GroupHarness()
        let id = try #require(group.joined(group.join())).memberId
        #expect(group.groupIDs() == ["g"])
        group.pass(.milliseconds(10_100))
        #expect(group.groupIDs() == [])
        let late = try #require(group.joined(group.join(id)))
        #expect(late.errorCode == ErrorCode.unknownMemberId.rawValue)
        #expect(group.log.isEmpty)
    }

    @Test func idsGivenOutHaveALimit() throws {
        var settings = GroupSettings.quick
        settings.pendingMax = 2
        let group = GroupHarness(settings)
        for _ in 0..<2 { group.join() }
        let answer = try #require(group.joined(group.join()))
        #expect(answer.errorCode == ErrorCode.groupMaxSizeReached.rawValue)
    }

    @Test func membersHaveALimit() throws {
        var settings = GroupSettings.quick
        settings.membersMax = 1
        let group = GroupHarness(settings)
        _ = try group.stable()
        let answer = try #require(group.joined(group.join(version: 3)))
        #expect(answer.errorCode == ErrorCode.groupMaxSizeReached.rawValue)
        #expect(answer.memberId.isEmpty)
    }

    @Test func assignmentIsGivenOutOnlyWhenItIsCommitted() throws {
        let group = GroupHarness()
        let id = try #require(group.joined(group.join())).memberId
        group.join(id)
        group.commitsAtOnce = false
        let token = group.sync(id, 1, [id: [9]])
        #expect(group.synced(token) == nil)
        let description = group.ask(.describe(group: "g", version: 5))
        #expect(group.replies[description] == nil, "a reader waits for the last change")
        group.commitNext()
        #expect(group.synced(token)?.assignment == [9])
        guard case .described(let described)? = group.replies[description] else {
            Issue.record("the description follows")
            return
        }
        #expect(described.groupState == "Stable")
    }

    @Test func waitersAreToldWhenLeadershipIsLost() throws {
        let group = GroupHarness()
        let id = try #require(group.joined(group.join())).memberId
        group.join(id)
        group.commitsAtOnce = false
        group.sync(id, 1, [id: [9]])
        let read = group.ask(.describe(group: "g", version: 5))
        group.join(group: "other", version: 3, protocols: [("x", [])])
        group.commit(3, group: "third")
        group.loseLeadership()
        #expect(group.unanswered.isEmpty)
        #expect(group.replies[read] == .failed(.notCoordinator))
        #expect(group.groupIDs() == [], "nothing was committed")
    }

    @Test func requestsBeforeTheLogIsLoadedAreRefused() {
        var machine = GroupCoordinator(settings: .quick, generator: SeededGenerator(seed: 1))
        var effects: [GroupEffect] = []
        let now = Moment(instant: .zero, timestamp: Timestamp(1))
        let client = GroupClient(id: "c", host: "h")
        let token = RequestToken(rawValue: 1)
        let request = GroupRequest.fetchOffsets(group: "g", topics: nil)
        machine.step(.request(request, client, token), at: now, into: &effects)
        #expect(effects == [.reply(token, .failed(.coordinatorLoadInProgress))])
    }

    @Test func stateComesBackFromTheLog() throws {
        let group = GroupHarness()
        let (member, generation) = try group.stable()
        group.commit(12, member: member, generation: generation)
        let before = group.describe()
        group.loseLeadership()
        #expect(group.describe() == before)
        #expect(group.offsets()?.first?.partitions.first?.offset == 12)
        #expect(group.heartbeat(member, generation) == ErrorCode.none)
        group.pass(.seconds(11))
        #expect(group.describe()?.groupState == "Empty", "sessions begin anew, and end")
    }

    @Test func secondJoinOfAWaitingMemberReplacesTheFirst() throws {
        let group = GroupHarness()
        _ = try group.stable()
        let id = try #require(group.joined(group.join())).memberId
        let first = group.join(id)
        #expect(group.joined(first) == nil)
        let second = group.join(id)
        #expect(group.joined(first)?.errorCode == ErrorCode.rebalanceInProgress.rawValue)
        #expect(group.joined(second) == nil)
    }

    @Test func assignmentTooLargeForTheLogFailsAndTheMembersJoinAgain() throws {
        var settings = GroupSettings.quick
        settings.appendBytesMax = 2_000
        let group = GroupHarness(settings)
        let id = try #require(group.joined(group.join())).memberId
        group.join(id)
        let token = group.sync(id, 1, [id: [UInt8](repeating: 0, count: 3_000)])
        #expect(group.synced(token)?.errorCode == ErrorCode.unknownServerError.rawValue)
        #expect(group.heartbeat(id, 1) == .rebalanceInProgress)
        let metadata = [UInt8](repeating: 1, count: 3_000)
        let refused = group.join(version: 3, protocols: [("range", metadata)])
        #expect(group.joined(refused)?.errorCode == ErrorCode.messageTooLarge.rawValue)
    }
}

@Suite struct StaticMemberTests {
    @Test func returnsWithoutARebalanceAndTheFormerIDIsFenced() throws {
        let group = GroupHarness()
        let old = try #require(group.joined(group.join(instance: "i")))
        #expect(old.errorCode == 0)
        group.sync(old.memberId, 1, instance: "i", [old.memberId: [5]])
        let new = try #require(group.joined(group.join(instance: "i", version: 9)))
        #expect(new.generationId == 1)
        #expect(new.leader == new.memberId)
        #expect(new.skipAssignment)
        #expect(new.members.count == 1)
        #expect(group.heartbeat(old.memberId, 1, instance: "i") == .fencedInstanceId)
        #expect(group.synced(group.sync(new.memberId, 1, instance: "i"))?.assignment == [5])
        group.loseLeadership()
        #expect(group.describe()?.members.map(\.memberId) == [new.memberId])
    }

    @Test func returningBeforeVersionNineDoesNotTakeItselfForTheLeader() throws {
        let group = GroupHarness()
        let old = try #require(group.joined(group.join(instance: "i"))).memberId
        group.sync(old, 1, instance: "i", [old: [5]])
        let new = try #require(group.joined(group.join(instance: "i")))
        #expect(new.leader == old)
        #expect(new.members.isEmpty)
    }

    @Test func restartWithinTheSessionCausesNoRebalance() throws {
        let group = GroupHarness()
        let old = try #require(group.joined(group.join(instance: "i"))).memberId
        group.sync(old, 1, instance: "i", [old: [5]])
        group.pass(.seconds(8))
        let new = try #require(group.joined(group.join(instance: "i"))).memberId
        group.pass(.seconds(8))
        #expect(group.describe()?.groupState == "Stable", "the new id has a session of its own")
        #expect(group.heartbeat(new, 1, instance: "i") == ErrorCode.none)
    }

    @Test func leavesByInstanceAlone() throws {
        let group = GroupHarness()
        let id = try #require(group.joined(group.join(instance: "i"))).memberId
        group.sync(id, 1, instance: "i", [id: [5]])
        guard
            case .leave(let answer)? = group.answer(group.leave([(id: "", instance: "i")]))
        else {
            Issue.record("there is an answer")
            return
        }
        #expect(answer.members.map(\.errorCode) == [0])
        #expect(group.describe()?.groupState == "Empty")
    }

    @Test func theLongestNamesMakeAMemberIDThatRecordsCanHold() throws {
        let name = String(repeating: "é", count: 16_383) + "x"
        for instance in [nil, name] {
            let group = GroupHarness()
            let leader = try group.stable().member
            let token = group.join(instance: instance, version: 3, client: name)
            group.join(leader)
            let answer = try #require(group.joined(token))
            #expect(answer.errorCode == 0)
            #expect(answer.memberId.utf8.count <= Int(Int16.max))
            #expect(group.synced(group.sync(leader, 2))?.errorCode == 0)
            #expect(group.describe()?.members.count == 2)
        }
    }

    @Test func aLogThatNamesAnInstanceTwiceIsLoaded() throws {
        var value = GroupMetadataValue()
        (value.protocolType, value.generation, value.`protocol`) = ("consumer", 3, "range")
        value.leader = "a"
        value.members = [("a", "i"), ("b", "i"), ("a", nil), ("c", nil)].map { id, instance in
            var member = GroupMetadataValue.Member()
            (member.memberId, member.groupInstanceId) = (id, instance)
            (member.sessionTimeout, member.rebalanceTimeout) = (10_000, 10_000)
            return member
        }
        var key = GroupMetadataKey()
        key.group = "g"
        let record = CoordinatorRecord(
            key: try CoordinatorFraming.bytes(key, version: 2),
            value: try CoordinatorFraming.bytes(value, version: 3))
        let group = GroupHarness()
        group.machine = GroupHarness.loaded(from: [record], .quick, seed: 2, at: group.now)
        #expect(group.describe()?.members.map(\.memberId) == ["a", "c"])
        #expect(group.heartbeat("a", 3, instance: "i") == ErrorCode.none)
    }
}
