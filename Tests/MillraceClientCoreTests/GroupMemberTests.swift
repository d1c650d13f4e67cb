import MillraceBase
import MillraceClientCore
import MillraceProtocol
import Testing

@Suite struct GroupMemberTests {
    struct Story {
        var member = GroupMember(GroupSettings(groupID: "g"), seed: 1)
        var sent: [(token: RequestToken, target: RequestTarget, request: ClientRequest)] = []
        var told: [GroupMember.Effect] = []

        mutating func step(_ event: GroupMember.Event, at ms: Int64) {
            var effects: [GroupMember.Effect] = []
            member.step(event, at: .ms(ms), into: &effects)
            for effect in effects {
                if case .send(let token, let target, let request) = effect {
                    sent.append((token, target, request))
                } else {
                    told.append(effect)
                }
            }
        }

        mutating func answer(_ response: ClientResponse, at ms: Int64) throws {
            step(.answered(try #require(sent.last).token, response), at: ms)
        }

        var last: ApiKey? { sent.last?.request.api }
    }

    private static func found() -> ClientResponse {
        var coordinator = FindCoordinatorResponse.Coordinator()
        (coordinator.key, coordinator.nodeId) = ("g", 5)
        (coordinator.host, coordinator.port) = ("h", 9092)
        var answer = FindCoordinatorResponse()
        answer.coordinators = [coordinator]
        return .findCoordinator(answer)
    }

    private static func joined(_ member: String, leader: String, others: [JoinGroupRequest] = [])
        -> ClientResponse
    {
        var answer = JoinGroupResponse()
        (answer.memberId, answer.leader, answer.generationId) = (member, leader, 3)
        answer.protocolName = "range"
        for request in others {
            var entry = JoinGroupResponse.Member()
            entry.memberId = request.memberId
            entry.metadata = request.protocols[0].metadata
            answer.members.append(entry)
        }
        return .joinGroup(answer)
    }

    private static func committed(_ offsets: [Int64]) -> ClientResponse {
        var topic = OffsetFetchResponse.Group.Topic()
        topic.name = "a"
        for (index, offset) in offsets.enumerated() {
            var part = OffsetFetchResponse.Group.Topic.Partition()
            (part.partitionIndex, part.committedOffset) = (Int32(index), offset)
            topic.partitions.append(part)
        }
        var group = OffsetFetchResponse.Group()
        group.topics = [topic]
        var answer = OffsetFetchResponse()
        answer.groups = [group]
        return .offsetFetch(answer)
    }

    /// A member alone in its group, with both partitions of topic `a`.
    private func stable(commitsOnRevoke: Bool = false) throws -> Story {
        var settings = GroupSettings(groupID: "g")
        settings.commitsOnRevoke = commitsOnRevoke
        var story = Story(member: GroupMember(settings, seed: 1))
        story.step(.subscribed(["a"]), at: 0)
        try story.answer(Self.found(), at: 1)
        #expect(story.sent.last?.target == .node(NodeID(5)))
        // The id comes first, then the join under it (KIP-394).
        var required = JoinGroupResponse()
        (required.errorCode, required.memberId) = (ErrorCode.memberIdRequired.rawValue, "m")
        try story.answer(.joinGroup(required), at: 2)
        guard case .joinGroup(let join)? = story.sent.last?.request else {
            Issue.record("did not join again")
            return story
        }
        #expect(join.memberId == "m" && join.protocols.map(\.name) == ["range"])
        try story.answer(Self.joined("m", leader: "m", others: [join]), at: 3)
        #expect(story.last == .metadata)
        try story.answer(Answers.metadata("a", leaders: [5, 5]), at: 4)
        guard case .syncGroup(let sync)? = story.sent.last?.request else {
            Issue.record("did not sync")
            return story
        }
        #expect(sync.assignments.map(\.memberId) == ["m"] && sync.generationId == 3)
        var synced = SyncGroupResponse()
        synced.assignment = sync.assignments[0].assignment
        try story.answer(.syncGroup(synced), at: 5)
        #expect(story.last == .offsetFetch)
        try story.answer(Self.committed([17, -1]), at: 6)
        return story
    }

    @Test func aMemberJoinsAssignsAndBeginsWhereTheGroupStands() throws {
        let story = try stable()
        #expect(
            story.told == [
                .located(NodeID(5), host: "h", port: 9092),
                .assigned(
                    [NamedPartition("a", 0): Offset(17), NamedPartition("a", 1): nil],
                    generation: 3),
            ])
        #expect(story.member.deadline == .ms(3005))
    }

    @Test func aRebalanceTakesPartitionsBackBeforeJoiningAgain() throws {
        var story = try stable()
        story.step(.tick, at: 3005)
        #expect(story.last == .heartbeat)
        var beat = HeartbeatResponse()
        beat.errorCode = ErrorCode.rebalanceInProgress.rawValue
        try story.answer(.heartbeat(beat), at: 3010)
        #expect(story.told.last == .revoked)
        guard case .joinGroup(let join)? = story.sent.last?.request else {
            Issue.record("did not join")
            return
        }
        #expect(join.memberId == "m")
        // Another leads now: this one only asks for its share.
        try story.answer(Self.joined("m", leader: "n"), at: 3020)
        guard case .syncGroup(let sync)? = story.sent.last?.request else {
            Issue.record("did not sync")
            return
        }
        #expect(sync.assignments.isEmpty)
    }

    private func rebalance(_ story: inout Story, at ms: Int64) throws {
        story.step(.tick, at: ms)
        #expect(story.last == .heartbeat)
        var beat = HeartbeatResponse()
        beat.errorCode = ErrorCode.rebalanceInProgress.rawValue
        try story.answer(.heartbeat(beat), at: ms + 5)
    }

    @Test func whatWasProcessedIsCommittedBeforeARebalanceTakesPartitionsBack() throws {
        var story = try stable(commitsOnRevoke: true)
        try rebalance(&story, at: 3005)
        #expect(story.told.last == .revoking && story.last == .heartbeat)
        story.step(
            .processed([NamedPartition("a", 0): CommittedOffset(offset: Offset(21))]), at: 3010)
        guard case .offsetCommit(let commit)? = story.sent.last?.request else {
            Issue.record("did not commit")
            return
        }
        #expect(commit.generationIdOrMemberEpoch == 3 && commit.memberId == "m")
        #expect(commit.topics.first?.partitions.map(\.committedOffset) == [21])
        #expect(
            story.told.last == .revoking, "nothing is given back while the commit is on its way")
        // Another poll's commit has to wait for the next generation.
        story.step(.commit(ticket: 9, [:]), at: 3011)
        #expect(
            story.told.contains(
                .committed(
                    ticket: 9, .refused(.rebalanceInProgress, "the member has no partitions"))))
        // Whatever the answer says, it joins again.
        try story.answer(.offsetCommit(OffsetCommitResponse()), at: 3012)
        #expect(story.told.last == .revoked && story.last == .joinGroup)
    }

    @Test func aMemberThatProcessedNothingOrCannotCommitJoinsAgainAllTheSame() throws {
        var idle = try stable(commitsOnRevoke: true)
        try rebalance(&idle, at: 3005)
        idle.step(.processed([:]), at: 3010)
        #expect(idle.told.last == .revoked && idle.last == .joinGroup)

        var cut = try stable(commitsOnRevoke: true)
        try rebalance(&cut, at: 3005)
        cut.step(
            .processed([NamedPartition("a", 0): CommittedOffset(offset: Offset(21))]), at: 3010)
        let token = try #require(cut.sent.last).token
        cut.step(.failed(token, .unreachable("h:9092")), at: 3011)
        #expect(cut.told.last == .revoked)
        cut.step(.tick, at: 9000)
        #expect(cut.last == .findCoordinator)
        // A member that the group has forgotten has nothing that it may commit.
        var forgotten = try stable(commitsOnRevoke: true)
        forgotten.step(.tick, at: 3005)
        var beat = HeartbeatResponse()
        beat.errorCode = ErrorCode.unknownMemberId.rawValue
        try forgotten.answer(.heartbeat(beat), at: 3010)
        #expect(forgotten.told.last == .revoked)
    }

    /// A coordinator that refuses every member is not asked as fast as it answers.
    @Test(arguments: [ErrorCode.memberIdRequired, .unknownMemberId, .illegalGeneration])
    func aMemberThatIsRefusedAgainAndAgainWaits(code: ErrorCode) throws {
        var story = Story()
        story.step(.subscribed(["a"]), at: 0)
        try story.answer(Self.found(), at: 1)
        for _ in 0..<50 {
            guard story.last == .joinGroup, let token = story.sent.last?.token else { break }
            var refusal = JoinGroupResponse()
            (refusal.errorCode, refusal.memberId) = (code.rawValue, "m")
            story.step(.answered(token, .joinGroup(refusal)), at: 2)
        }
        let joins = story.sent.filter { $0.request.api == .joinGroup }
        #expect(joins.count == 2)
        let deadline = story.member.deadline
        #expect(deadline > .ms(2) && deadline < .ms(2000))
        story.step(.tick, at: 2000)
        #expect(story.sent.filter { $0.request.api == .joinGroup }.count == 3)
    }

    @Test func aMemberThatTheGroupForgotBeginsAnew() throws {
        var story = try stable()
        story.step(.tick, at: 3005)
        var beat = HeartbeatResponse()
        beat.errorCode = ErrorCode.unknownMemberId.rawValue
        try story.answer(.heartbeat(beat), at: 3010)
        guard case .joinGroup(let join)? = story.sent.last?.request else {
            Issue.record("did not join")
            return
        }
        #expect(join.memberId.isEmpty && story.told.last == .revoked)
    }

    @Test func aLostCoordinatorIsLookedForAndTheMemberStays() throws {
        var story = try stable()
        story.step(.tick, at: 3005)
        let beat = try #require(story.sent.last).token
        story.step(.failed(beat, .unreachable("gone")), at: 3100)
        story.step(.tick, at: 3300)
        #expect(story.last == .findCoordinator)
        try story.answer(Self.found(), at: 3301)
        #expect(story.last == .heartbeat)
        #expect(!story.told.contains(.revoked))
    }

    @Test func commitsCarryTheGeneration() throws {
        var story = try stable()
        let offset = [NamedPartition("a", 0): CommittedOffset(offset: Offset(20))]
        story.step(.commit(ticket: 9, offset), at: 10)
        guard case .offsetCommit(let request)? = story.sent.last?.request else {
            Issue.record("did not commit")
            return
        }
        #expect(request.generationIdOrMemberEpoch == 3 && request.memberId == "m")
        try story.answer(.offsetCommit(OffsetCommitResponse()), at: 11)
        #expect(story.told.last == .committed(ticket: 9, nil))
        story.step(.leave, at: 12)
        #expect(story.last == .leaveGroup)
        try story.answer(.leaveGroup(LeaveGroupResponse()), at: 13)
        #expect(story.told.last == .left)
    }

    @Test func aGroupThatMayNotBeJoinedStopsTheMember() throws {
        var story = Story()
        story.step(.subscribed(["a"]), at: 0)
        try story.answer(Self.found(), at: 1)
        var answer = JoinGroupResponse()
        answer.errorCode = ErrorCode.groupAuthorizationFailed.rawValue
        try story.answer(.joinGroup(answer), at: 2)
        #expect(story.told.last == .stopped(.refused(.groupAuthorizationFailed, "g")))
    }

    @Test func rangesAreSharedInOrderTheFirstMembersOneMore() {
        let shares = RangeAssignor.assign(
            members: ["y": ["a", "b"], "x": ["a"], "z": ["a"]],
            partitionCounts: ["a": 5, "b": 2])
        #expect(shares["x"] == [0, 1].map { NamedPartition("a", $0) })
        #expect(
            shares["y"] == [2, 3].map { NamedPartition("a", $0) }
                + [0, 1].map { NamedPartition("b", $0) })
        #expect(shares["z"] == [NamedPartition("a", 4)])
    }
}
