import Coordinators
import MillraceBase
import MillraceProtocol
import Testing

/// A group coordinator with its log, its clock, and clients that wait for answers.
final class GroupHarness {
    var machine: GroupCoordinator
    var now = Moment(
        instant: Instant(nanoseconds: 1), timestamp: Timestamp(1_700_000_000_000))
    let settings: GroupSettings
    /// What is committed.
    private(set) var log: [CoordinatorRecord] = []
    /// Appended and not committed.
    private(set) var appended: [(records: [CoordinatorRecord], change: ChangeToken)] = []
    /// Whether an append is committed at once.
    var commitsAtOnce = true
    private(set) var replies: [RequestToken: GroupResponse] = [:]
    private var asked: Set<RequestToken> = []
    private var next: UInt64 = 1
    private var seed: UInt64

    init(_ settings: GroupSettings = .quick, seed: UInt64 = 1) {
        (self.settings, self.seed) = (settings, seed)
        machine = GroupCoordinator(
            settings: settings, generator: SeededGenerator(seed: seed))
        step(.loaded)
    }

    /// Requests that have no answer yet.
    var unanswered: Set<RequestToken> { asked.subtracting(replies.keys) }

    func step(_ event: GroupEvent) {
        var effects: [GroupEffect] = []
        machine.step(event, at: now, into: &effects)
        for effect in effects {
            switch effect {
            case .append(let records, let change):
                #expect(!records.isEmpty)
                appended.append((records, change))
            case .reply(let token, let response):
                #expect(asked.contains(token), "an answer belongs to a request")
                #expect(
                    replies.updateValue(response, forKey: token) == nil,
                    "a request is answered once")
            }
        }
        if commitsAtOnce { commitAll() }
    }

    /// The oldest append is committed.
    func commitNext() {
        guard !appended.isEmpty else { return }
        let (records, change) = appended.removeFirst()
        log += records
        step(.committed(change))
    }

    func commitAll() { while !appended.isEmpty { commitNext() } }

    /// Leadership is lost, and what was not committed; this node is elected again.
    func loseLeadership() {
        step(.lost(.notCoordinator))
        appended = []
        seed += 1
        machine = Self.loaded(from: log, settings, seed: seed, at: now)
    }

    static func loaded(
        from log: [CoordinatorRecord], _ settings: GroupSettings, seed: UInt64, at now: Moment
    ) -> GroupCoordinator {
        var machine = GroupCoordinator(
            settings: settings, generator: SeededGenerator(seed: seed))
        var effects: [GroupEffect] = []
        for record in log {
            machine.step(.replay(record, transaction: nil), at: now, into: &effects)
        }
        machine.step(.loaded, at: now, into: &effects)
        #expect(effects == [])
        return machine
    }

    /// Time passes; timers fire when they are due.
    func pass(_ duration: Duration) {
        let end = now.instant + duration
        while let deadline = machine.nextDeadline, deadline <= end {
            advance(to: max(deadline, now.instant))
            step(.tick)
        }
        advance(to: end)
    }

    private func advance(to instant: Instant) {
        let milliseconds = instant.milliseconds(since: now.instant)
        now = Moment(
            instant: instant, timestamp: Timestamp(now.timestamp.rawValue + milliseconds))
    }

    @discardableResult
    func ask(_ request: GroupRequest, client: String = "c") -> RequestToken {
        let token = RequestToken(rawValue: next)
        next += 1
        asked.insert(token)
        step(.request(request, GroupClient(id: client, host: "/127.0.0.1"), token))
        return token
    }

    // MARK: Requests

    @discardableResult
    func join(
        _ member: String = "", group: String = "g", instance: String? = nil, version: Int16 = 7,
        protocols: [(String, [UInt8])] = [("range", [1])], type: String = "consumer",
        session: Int32 = 10_000, rebalance: Int32 = 60_000, client: String = "c"
    ) -> RequestToken {
        var request = JoinGroupRequest()
        (request.groupId, request.memberId) = (group, member)
        (request.groupInstanceId, request.protocolType) = (instance, type)
        (request.sessionTimeoutMs, request.rebalanceTimeoutMs) = (session, rebalance)
        for (name, metadata) in protocols {
            request.protocols.append(.init())
            request.protocols[request.protocols.count - 1].name = name
            request.protocols[request.protocols.count - 1].metadata = metadata
        }
        return ask(.join(request, version: version), client: client)
    }

    @discardableResult
    func sync(
        _ member: String, _ generation: Int32, group: String = "g", instance: String? = nil,
        _ assignments: [String: [UInt8]] = [:]
    ) -> RequestToken {
        var request = SyncGroupRequest()
        (request.groupId, request.memberId) = (group, member)
        (request.generationId, request.groupInstanceId) = (generation, instance)
        request.assignments = assignments.sorted { $0.key < $1.key }.map { id, bytes in
            var element = SyncGroupRequest.Assignment()
            (element.memberId, element.assignment) = (id, bytes)
            return element
        }
        return ask(.sync(request))
    }

    func heartbeat(
        _ member: String, _ generation: Int32, group: String = "g", instance: String? = nil
    ) -> ErrorCode? {
        var request = HeartbeatRequest()
        (request.groupId, request.memberId) = (group, member)
        (request.generationId, request.groupInstanceId) = (generation, instance)
        let token = ask(.heartbeat(request))
        guard case .heartbeat(let code)? = replies[token] else { return nil }
        return code
    }

    @discardableResult
    func leave(
        _ members: [(id: String, instance: String?)], group: String = "g"
    ) -> RequestToken {
        var request = LeaveGroupRequest()
        request.groupId = group
        request.members = members.map { id, instance in
            var member = LeaveGroupRequest.Member()
            (member.memberId, member.groupInstanceId) = (id, instance)
            return member
        }
        return ask(.leave(request, version: 5))
    }

    @discardableResult
    func commit(
        _ offset: Int64, topic: String = "t", partition: Int32 = 0, member: String = "",
        generation: Int32 = -1, group: String = "g", metadata: String? = "m",
        retention: Int64 = -1, topicID: Uuid = .zero
    ) -> RequestToken {
        var request = OffsetCommitRequest()
        (request.groupId, request.memberId) = (group, member)
        request.generationIdOrMemberEpoch = generation
        request.retentionTimeMs = retention
        var asked = OffsetCommitRequest.Topic()
        (asked.name, asked.topicId) = (topic, topicID)
        var place = OffsetCommitRequest.Topic.Partition()
        (place.partitionIndex, place.committedOffset) = (partition, offset)
        place.committedMetadata = metadata
        asked.partitions = [place]
        request.topics = [asked]
        return ask(.commit(request))
    }

    func offsets(of group: String = "g") -> [FetchedTopic]? {
        let token = ask(.fetchOffsets(group: group, topics: nil))
        guard case .offsets(let topics)? = replies[token] else { return nil }
        return topics
    }

    func describe(_ group: String = "g") -> DescribeGroupsResponse.Group? {
        let token = ask(.describe(group: group, version: 5))
        guard case .described(let described)? = replies[token] else { return nil }
        return described
    }

    func groupIDs(_ states: [String] = []) -> [String] {
        var request = ListGroupsRequest()
        request.statesFilter = states
        let token = ask(.list(request))
        guard case .list(let groups)? = replies[token] else { return [] }
        return groups.map(\.groupId)
    }

    // MARK: Answers

    /// The answer to a request, which may be made in the same expression.
    func answer(_ token: RequestToken) -> GroupResponse? { replies[token] }

    func joined(_ token: RequestToken) -> JoinGroupResponse? {
        guard case .join(let response)? = replies[token] else { return nil }
        return response
    }

    func synced(_ token: RequestToken) -> SyncGroupResponse? {
        guard case .sync(let response)? = replies[token] else { return nil }
        return response
    }

    /// A group of one member, stable.
    func stable(_ group: String = "g") throws -> (member: String, generation: Int32) {
        let id = try #require(joined(join(group: group))).memberId
        let generation = try #require(joined(join(id, group: group))).generationId
        let answer = try #require(synced(sync(id, generation, group: group, [id: [7]])))
        #expect(answer.errorCode == 0)
        #expect(answer.assignment == [7])
        return (id, generation)
    }
}

extension GroupSettings {
    /// No initial delay.
    static var quick: GroupSettings {
        var settings = GroupSettings()
        settings.initialRebalanceDelay = .zero
        return settings
    }
}
