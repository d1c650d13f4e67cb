internal import MillraceBase
internal import MillraceProtocol

/// A member of a classic group of consumers, on the caller's thread: joins, assigns ranges if it
/// leads, sends heartbeats, commits.
package final class GroupSession {
    /// How a member takes part.
    package struct Settings: Sendable {
        package var group: String
        package var topics: [String]
        package var sessionTimeoutMs: Int32 = 45_000
        package var rebalanceTimeoutMs: Int32 = 300_000
        package var heartbeatInterval: Duration = .seconds(3)

        package init(group: String, topics: [String]) {
            (self.group, self.topics) = (group, topics)
        }
    }

    private let client: RequestClient
    private let settings: Settings
    private var coordinator: RequestClient.Target?
    private var member = ""
    private var generation: Int32 = -1
    private var nextHeartbeat = Instant.zero
    private var isHeartbeating = false
    /// The assignment is no longer ours: join again.
    package private(set) var mustJoin = true
    private var failure: RequestError?

    package init(_ client: RequestClient, _ settings: Settings) {
        (self.client, self.settings) = (client, settings)
    }

    // MARK: joining

    /// Joins and waits for the assignment.
    /// - Returns: our partitions and where the group has committed them.
    package func join() throws(RequestError) -> [ListOffsets.Partition: Int64?] {
        let deadline = client.now + .milliseconds(Int64(settings.rebalanceTimeoutMs) * 2)
        while true {
            if let assigned = try attempt() {
                mustJoin = false
                nextHeartbeat = client.now + settings.heartbeatInterval
                return try positions(of: assigned)
            }
            guard try client.pause(.milliseconds(100), until: deadline) else {
                throw .timedOut("joining group \(settings.group)")
            }
        }
    }

    /// nil: try again.
    private func attempt() throws(RequestError) -> [ListOffsets.Partition]? {
        let coordinator = try currentCoordinator()
        var request = JoinGroupRequest()
        request.groupId = settings.group
        request.sessionTimeoutMs = settings.sessionTimeoutMs
        request.rebalanceTimeoutMs = settings.rebalanceTimeoutMs
        request.memberId = member
        request.protocolType = "consumer"
        var range = JoinGroupRequest.GroupProtocol()
        range.name = "range"
        range.metadata = GroupAssignment.subscription(settings.topics)
        request.protocols = [range]
        let wait = Duration.milliseconds(Int64(settings.rebalanceTimeoutMs) + 5_000)
        let answer = try client.ask(
            request, .joinGroup, as: JoinGroupResponse.self, of: coordinator, timeout: wait
        ).body
        if answer.errorCode == ErrorCode.memberIdRequired.rawValue {
            member = answer.memberId
            return nil
        }
        guard try isFine(answer.errorCode) else { return nil }
        (member, generation) = (answer.memberId, answer.generationId)
        var sync = SyncGroupRequest()
        (sync.groupId, sync.memberId) = (settings.group, member)
        sync.generationId = generation
        (sync.protocolType, sync.protocolName) = ("consumer", "range")
        if answer.leader == member { sync.assignments = try assign(answer.members) }
        let synced = try client.ask(
            sync, .syncGroup, as: SyncGroupResponse.self, of: coordinator, timeout: wait
        ).body
        guard try isFine(synced.errorCode) else { return nil }
        return GroupAssignment.decode(synced.assignment) ?? []
    }

    private func currentCoordinator() throws(RequestError) -> RequestClient.Target {
        if let coordinator { return coordinator }
        let found = try client.coordinator(ofGroup: settings.group)
        coordinator = found
        return found
    }

    private func assign(
        _ members: [JoinGroupResponse.Member]
    ) throws(RequestError) -> [SyncGroupRequest.Assignment] {
        let subscribed = members.map {
            (id: $0.memberId, topics: GroupAssignment.topics($0.metadata))
        }
        let topics = Set(subscribed.flatMap(\.topics)).sorted()
        var counts: [String: Int32] = [:]
        for topic in try client.metadata(topics: topics).topics where topic.errorCode == 0 {
            counts[topic.name ?? ""] = Int32(topic.partitions.count)
        }
        let ranges = GroupAssignment.ranges(members: subscribed, counts: counts)
        return subscribed.map { member in
            var assignment = SyncGroupRequest.Assignment()
            assignment.memberId = member.id
            assignment.assignment = GroupAssignment.encode(ranges[member.id] ?? [])
            return assignment
        }
    }

    /// Whether it went well; false: join again, after the state was mended.
    private func isFine(_ code: Int16) throws(RequestError) -> Bool {
        let error = ErrorCode(rawValue: code)
        switch error {
        case .none: return true
        case .unknownMemberId: member = ""
        case .illegalGeneration, .rebalanceInProgress: break
        case .notCoordinator, .coordinatorNotAvailable, .coordinatorLoadInProgress:
            coordinator = nil
        default:
            guard error.isRetriable else { throw .malformed("group \(settings.group): \(error)") }
        }
        mustJoin = true
        return false
    }

    private func positions(
        of partitions: [ListOffsets.Partition]
    ) throws(RequestError) -> [ListOffsets.Partition: Int64?] {
        var found: [ListOffsets.Partition: Int64?] = [:]
        for partition in partitions { found[partition] = .some(nil) }
        guard !partitions.isEmpty else { return found }
        var request = OffsetFetchRequest()
        let target = try currentCoordinator()
        let version = try client.version(of: .offsetFetch, target: target, versionMax: 9)
        if version >= 8 {
            var group = OffsetFetchRequest.Group()
            (group.groupId, group.topics) = (settings.group, nil)
            request.groups = [group]
        } else {
            (request.groupId, request.topics) = (settings.group, nil)
        }
        let answer = try client.ask(
            request, .offsetFetch, as: OffsetFetchResponse.self, of: target, versionMax: 9
        ).body
        for topic in answer.groups.flatMap(\.topics) {
            for entry in topic.partitions where entry.committedOffset >= 0 {
                let key = ListOffsets.Partition(topic.name, entry.partitionIndex)
                if found[key] != nil { found[key] = entry.committedOffset }
            }
        }
        for topic in answer.topics {
            for entry in topic.partitions where entry.committedOffset >= 0 {
                let key = ListOffsets.Partition(topic.name, entry.partitionIndex)
                if found[key] != nil { found[key] = entry.committedOffset }
            }
        }
        return found
    }

    // MARK: while a member

    /// Sends a heartbeat if it is time. Look at `mustJoin` afterwards.
    package func tick() throws(RequestError) {
        if let failure { throw failure }
        guard !mustJoin, !isHeartbeating, client.now >= nextHeartbeat else { return }
        var request = HeartbeatRequest()
        (request.groupId, request.memberId) = (settings.group, member)
        request.generationId = generation
        let target = try currentCoordinator()
        isHeartbeating = true
        nextHeartbeat = client.now + settings.heartbeatInterval
        do throws(RequestError) {
            try client.begin(request, .heartbeat, as: HeartbeatResponse.self, of: target) {
                [unowned self] result in
                isHeartbeating = false
                switch result {
                case .success(let answer):
                    do throws(RequestError) {
                        _ = try isFine(answer.body.errorCode)
                    } catch {
                        failure = error
                    }
                case .failure: coordinator = nil
                }
            }
        } catch .unreachable {
            isHeartbeating = false
            coordinator = nil
        }
    }

    /// Commits offsets. A rebalance that has begun is told by `mustJoin`.
    package func commit(_ offsets: [ListOffsets.Partition: Int64]) throws(RequestError) {
        guard !offsets.isEmpty else { return }
        let errors = try GroupOffsets.commit(
            client, to: try currentCoordinator(), group: settings.group, generation: generation,
            member: member, offsets)
        for (_, error) in errors.sorted(by: { $0.key < $1.key }) where error != .none {
            _ = try isFine(error.rawValue)
        }
    }

    /// Leaves, so that the others need not wait for the session's end.
    package func leave() throws(RequestError) {
        guard !member.isEmpty else { return }
        var request = LeaveGroupRequest()
        request.groupId = settings.group
        request.memberId = member
        var own = LeaveGroupRequest.Member()
        own.memberId = member
        let target = try currentCoordinator()
        if try client.version(of: .leaveGroup, target: target) >= 3 {
            request.memberId = ""
            request.members = [own]
        }
        _ = try client.ask(request, .leaveGroup, as: LeaveGroupResponse.self, of: target)
        member = ""
        mustJoin = true
    }
}
