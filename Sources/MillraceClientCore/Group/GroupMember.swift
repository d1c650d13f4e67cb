package import MillraceBase
internal import MillraceProtocol

/// A member of a group of the classic protocol: finds the coordinator, joins, assigns if it leads,
/// beats, joins again when told to, leaves. One per subscribed consumer; owned by its loop.
///
/// Rebalances are eager: all partitions are given back (`revoked`) before it joins again, and come
/// (`assigned`) with what the group has committed of them. With `commitsOnRevoke` it asks first how
/// far they were processed (`revoking`) and commits that under its old generation, which the
/// coordinator takes until the group has a new one: the next owner begins there.
package struct GroupMember {
    package enum Event {
        case subscribed([String])
        case commit(ticket: UInt64, [NamedPartition: CommittedOffset])
        /// The answer to `revoking`, at once: the next records to be processed.
        case processed([NamedPartition: CommittedOffset])
        case leave
        case answered(RequestToken, ClientResponse)
        case failed(RequestToken, ClientError)
        case tick
    }

    package enum Effect: Equatable {
        case send(RequestToken, RequestTarget, ClientRequest)
        /// A member with these partitions; nil where the group has committed nothing.
        case assigned([NamedPartition: Offset?], generation: Int32)
        /// Partitions are about to be revoked: the runner says how far they were processed.
        case revoking
        case revoked
        case committed(ticket: UInt64, ClientError?)
        case left
        /// It cannot be a member; nothing more is tried.
        case stopped(ClientError)
        /// Where a coordinator is: the runner keeps addresses.
        case located(NodeID, host: String, port: Int32)
    }

    enum Phase: Equatable {
        case idle
        case finding, joining, counting, syncing, loading
        case stable
        /// Commits before it gives its partitions back.
        case handingOver
        case leaving, left, stopped
    }

    package let settings: GroupSettings
    private var phase = Phase.idle
    private var topics: [String] = []
    private var coordinator: NodeID?
    private var memberID = ""
    private var generation: Int32 = -1
    private var protocolName: String?
    private var assigned: [NamedPartition] = []
    private var hasPartitions = false
    /// The request of the current phase.
    private var asked: RequestToken?
    private var heartbeat: RequestToken?
    private var notBefore = Instant.zero
    private var beatAt = Instant.distantFuture
    private var attempts = 0
    /// It has begun as a new member and not yet got partitions since.
    private var hasRestarted = false
    private var joined: [String: [String]] = [:]
    private var commits: [RequestToken: UInt64] = [:]
    private var lastToken: RequestToken = 0
    private var random: SeededGenerator

    package init(_ settings: GroupSettings, seed: UInt64) {
        self.settings = settings
        random = SeededGenerator(seed: seed)
    }

    package mutating func step(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        switch event {
        case .subscribed(let names):
            guard phase != .left, phase != .stopped, phase != .leaving else { return }
            topics = names.sorted()
            if phase == .idle { phase = .finding } else { giveBack(at: now, into: &effects) }
        case .processed(let offsets): handOver(offsets, at: now, into: &effects)
        case .commit(let ticket, let offsets): commit(ticket, offsets, into: &effects)
        case .leave: leave(into: &effects)
        case .answered(let token, let response):
            answered(token, response, at: now, into: &effects)
        case .failed(let token, let error): failed(token, error, at: now, into: &effects)
        case .tick: break
        }
        proceed(at: now, into: &effects)
        precondition(phase != .stable || hasPartitions, "a stable member was told its partitions")
    }

    /// When `tick` is next needed.
    package var deadline: Instant {
        switch phase {
        case .idle, .left, .stopped, .leaving: .distantFuture
        case .stable: heartbeat == nil ? max(beatAt, notBefore) : .distantFuture
        default: asked == nil ? notBefore : .distantFuture
        }
    }

    // MARK: what is next

    private mutating func proceed(at now: Instant, into effects: inout [Effect]) {
        if phase == .stable {
            guard heartbeat == nil, now >= beatAt, now >= notBefore, let coordinator else { return }
            beatAt = now + settings.heartbeatInterval
            lastToken += 1
            heartbeat = lastToken
            var request = HeartbeatRequest()
            request.groupId = settings.groupID
            request.generationId = generation
            request.memberId = memberID
            request.groupInstanceId = settings.instanceID
            effects.append(.send(lastToken, .node(coordinator), .heartbeat(request)))
            return
        }
        guard asked == nil, now >= notBefore else { return }
        if coordinator == nil, [.joining, .counting, .syncing, .loading].contains(phase) {
            phase = .finding
        }
        switch phase {
        case .finding: ask(.any, findRequest, into: &effects)
        case .counting: ask(.any, countRequest, into: &effects)
        case .joining, .syncing, .loading:
            guard let coordinator else { return }
            do throws(CodecError) {
                let request =
                    phase == .joining
                    ? try joinRequest() : phase == .syncing ? try syncRequest([:]) : loadRequest
                ask(.node(coordinator), request, into: &effects)
            } catch { stop(.malformed("\(error)"), into: &effects) }
        default: break
        }
    }

    private mutating func ask(
        _ target: RequestTarget, _ request: ClientRequest, into effects: inout [Effect]
    ) {
        lastToken += 1
        asked = lastToken
        effects.append(.send(lastToken, target, request))
    }

    private var findRequest: ClientRequest {
        var request = FindCoordinatorRequest()
        // A list since version 4, which every broker of Kafka 4 serves.
        request.coordinatorKeys = [settings.groupID]
        return .findCoordinator(request)
    }

    private func joinRequest() throws(CodecError) -> ClientRequest {
        var request = JoinGroupRequest()
        request.groupId = settings.groupID
        request.sessionTimeoutMs = settings.sessionTimeoutMs
        request.rebalanceTimeoutMs = settings.rebalanceTimeoutMs
        request.memberId = memberID
        request.groupInstanceId = settings.instanceID
        request.protocolType = "consumer"
        var range = JoinGroupRequest.GroupProtocol()
        range.name = RangeAssignor.name
        range.metadata = try GroupFraming.subscription(topics)
        request.protocols = [range]
        return .joinGroup(request)
    }

    /// How many partitions the topics of all members have.
    private var countRequest: ClientRequest {
        var request = MetadataRequest()
        request.allowAutoTopicCreation = false
        request.topics = Set(joined.values.joined()).sorted().map { name in
            var topic = MetadataRequest.Topic()
            topic.name = name
            return topic
        }
        return .metadata(request)
    }

    private func syncRequest(
        _ assignments: [String: [NamedPartition]]
    ) throws(CodecError) -> ClientRequest {
        var request = SyncGroupRequest()
        request.groupId = settings.groupID
        request.generationId = generation
        request.memberId = memberID
        request.groupInstanceId = settings.instanceID
        request.protocolType = "consumer"
        request.protocolName = protocolName
        for (member, partitions) in assignments.sorted(by: { $0.key < $1.key }) {
            var assignment = SyncGroupRequest.Assignment()
            assignment.memberId = member
            assignment.assignment = try GroupFraming.assignment(partitions)
            request.assignments.append(assignment)
        }
        return .syncGroup(request)
    }

    private var loadRequest: ClientRequest {
        var group = OffsetFetchRequest.Group()
        group.groupId = settings.groupID
        var topics: [OffsetFetchRequest.Group.Topic] = []
        for partition in assigned.sorted() {
            if topics.last?.name != partition.topic {
                var topic = OffsetFetchRequest.Group.Topic()
                topic.name = partition.topic
                topics.append(topic)
            }
            topics[topics.count - 1].partitionIndexes.append(partition.index)
        }
        group.topics = topics
        var request = OffsetFetchRequest()
        request.groups = [group]
        request.requireStable = true
        return .offsetFetch(request)
    }

    // MARK: answers

    private mutating func answered(
        _ token: RequestToken, _ response: ClientResponse, at now: Instant,
        into effects: inout [Effect]
    ) {
        if let ticket = commits.removeValue(forKey: token),
            case .offsetCommit(let answer) = response
        {
            return committed(ticket, answer, at: now, into: &effects)
        }
        if token == heartbeat, case .heartbeat(let answer) = response {
            heartbeat = nil
            return refused(ErrorCode(rawValue: answer.errorCode), at: now, into: &effects)
        }
        guard token == asked else { return }
        asked = nil
        switch (phase, response) {
        case (.handingOver, _): rejoin(at: now, into: &effects)
        case (.finding, .findCoordinator(let answer)): found(answer, at: now, into: &effects)
        case (.joining, .joinGroup(let answer)): joined(answer, at: now, into: &effects)
        case (.counting, .metadata(let answer)): counted(answer, into: &effects)
        case (.syncing, .syncGroup(let answer)): synced(answer, at: now, into: &effects)
        case (.loading, .offsetFetch(let answer)): loaded(answer, at: now, into: &effects)
        case (.leaving, _):
            phase = .left
            effects.append(.left)
        default: stop(.malformed("an answer of another kind"), into: &effects)
        }
    }

    private mutating func found(
        _ answer: FindCoordinatorResponse, at now: Instant, into effects: inout [Effect]
    ) {
        let first = answer.coordinators.first
        let code = ErrorCode(rawValue: first?.errorCode ?? answer.errorCode)
        guard code == .none else { return refused(code, at: now, into: &effects) }
        let node = NodeID(first?.nodeId ?? answer.nodeId)
        effects.append(
            .located(node, host: first?.host ?? answer.host, port: first?.port ?? answer.port))
        coordinator = node
        attempts = 0
        // A member whose coordinator has moved is still one: its next heartbeat tells.
        phase = hasPartitions ? .stable : .joining
        beatAt = now
    }

    private mutating func joined(
        _ answer: JoinGroupResponse, at now: Instant, into effects: inout [Effect]
    ) {
        let code = ErrorCode(rawValue: answer.errorCode)
        if code == .memberIdRequired {
            // Join again at once under the id that it gave (KIP-394).
            if !memberID.isEmpty { later(at: now) }
            memberID = answer.memberId
            return
        }
        guard code == .none else { return refused(code, at: now, into: &effects) }
        memberID = answer.memberId
        generation = answer.generationId
        protocolName = answer.protocolName
        attempts = 0
        guard answer.leader == memberID, !answer.skipAssignment else {
            phase = .syncing
            return
        }
        joined = [:]
        for member in answer.members {
            do throws(CodecError) {
                joined[member.memberId] = try GroupFraming.topics(member.metadata)
            } catch {
                // A member that nobody understands gets nothing.
                joined[member.memberId] = []
            }
        }
        phase = .counting
    }

    private mutating func counted(_ answer: MetadataResponse, into effects: inout [Effect]) {
        var counts: [String: Int32] = [:]
        for topic in answer.topics where topic.errorCode == 0 {
            if let name = topic.name { counts[name] = Int32(clamping: topic.partitions.count) }
        }
        let assignments = RangeAssignor.assign(members: joined, partitionCounts: counts)
        joined = [:]
        guard let coordinator else { return }
        phase = .syncing
        do throws(CodecError) {
            ask(.node(coordinator), try syncRequest(assignments), into: &effects)
        } catch { stop(.malformed("\(error)"), into: &effects) }
    }

    private mutating func synced(
        _ answer: SyncGroupResponse, at now: Instant, into effects: inout [Effect]
    ) {
        let code = ErrorCode(rawValue: answer.errorCode)
        guard code == .none else { return refused(code, at: now, into: &effects) }
        do throws(CodecError) {
            assigned = try GroupFraming.partitions(answer.assignment)
        } catch { return stop(.malformed("an assignment: \(error)"), into: &effects) }
        beatAt = now + settings.heartbeatInterval
        phase = .loading
        if assigned.isEmpty { become([:], into: &effects) }
    }

    private mutating func loaded(
        _ answer: OffsetFetchResponse, at now: Instant, into effects: inout [Effect]
    ) {
        let group = answer.groups.first
        let whole = ErrorCode(rawValue: group?.errorCode ?? answer.errorCode)
        guard whole == .none else { return refused(whole, at: now, into: &effects) }
        var committed: [NamedPartition: Offset?] = [:]
        for partition in assigned { committed.updateValue(nil, forKey: partition) }
        for topic in group?.topics ?? [] {
            for part in topic.partitions {
                let code = ErrorCode(rawValue: part.errorCode)
                guard code == .none else { return refused(code, at: now, into: &effects) }
                guard part.committedOffset >= 0 else { continue }
                committed.updateValue(
                    Offset(part.committedOffset),
                    forKey: NamedPartition(topic.name, part.partitionIndex))
            }
        }
        become(committed, into: &effects)
    }

    private mutating func become(
        _ committed: [NamedPartition: Offset?], into effects: inout [Effect]
    ) {
        phase = .stable
        attempts = 0
        hasRestarted = false
        hasPartitions = true
        effects.append(.assigned(committed, generation: generation))
    }

    // MARK: refusals

    /// What a refusal means for a member (`none`: nothing).
    private mutating func refused(
        _ code: ErrorCode, at now: Instant, into effects: inout [Effect]
    ) {
        switch code {
        case .none: attempts = 0
        case .rebalanceInProgress: giveBack(at: now, into: &effects)
        case .illegalGeneration, .unknownMemberId:
            // Whoever we were, the group goes on without: begin as a new member.
            if code == .unknownMemberId { memberID = "" }
            generation = -1
            rejoin(at: now, into: &effects)
            // Once at once; a coordinator that says it again is not hurried.
            if hasRestarted { later(at: now) }
            hasRestarted = true
        case .notCoordinator, .coordinatorNotAvailable:
            coordinator = nil
            later(at: now)
        default:
            guard code.isRetriable else {
                return stop(.refused(code, settings.groupID), into: &effects)
            }
            later(at: now)
        }
    }

    private mutating func later(at now: Instant) {
        attempts += 1
        notBefore = now + settings.backoff.delay(attempt: attempts, random: &random)
        if coordinator == nil, phase == .stable { phase = .finding }
    }

    /// Joins again, after a commit if one is wanted and a member may still commit.
    private mutating func giveBack(at now: Instant, into effects: inout [Effect]) {
        guard phase != .handingOver else { return }
        guard settings.commitsOnRevoke, phase == .stable, coordinator != nil else {
            return rejoin(at: now, into: &effects)
        }
        phase = .handingOver
        heartbeat = nil
        effects.append(.revoking)
    }

    private mutating func handOver(
        _ offsets: [NamedPartition: CommittedOffset], at now: Instant,
        into effects: inout [Effect]
    ) {
        guard phase == .handingOver, asked == nil else { return }
        guard let coordinator, !offsets.isEmpty else { return rejoin(at: now, into: &effects) }
        ask(.node(coordinator), commitRequest(offsets), into: &effects)
    }

    private mutating func rejoin(at now: Instant, into effects: inout [Effect]) {
        if hasPartitions {
            hasPartitions = false
            assigned = []
            effects.append(.revoked)
        }
        asked = nil
        heartbeat = nil
        phase = coordinator == nil ? .finding : .joining
    }

    private mutating func failed(
        _ token: RequestToken, _ error: ClientError, at now: Instant, into effects: inout [Effect]
    ) {
        if let ticket = commits.removeValue(forKey: token) {
            effects.append(.committed(ticket: ticket, error))
            return
        }
        guard token == asked || token == heartbeat else { return }
        if token == asked { asked = nil }
        if token == heartbeat { heartbeat = nil }
        guard phase != .leaving else {
            phase = .left
            effects.append(.left)
            return
        }
        guard error.isRetriable else { return stop(error, into: &effects) }
        coordinator = nil
        if phase == .handingOver { rejoin(at: now, into: &effects) }
        later(at: now)
    }

    private mutating func stop(_ error: ClientError, into effects: inout [Effect]) {
        if hasPartitions { effects.append(.revoked) }
        hasPartitions = false
        phase = .stopped
        effects.append(.stopped(error))
    }

    // MARK: offsets and leaving

    private mutating func commit(
        _ ticket: UInt64, _ offsets: [NamedPartition: CommittedOffset],
        into effects: inout [Effect]
    ) {
        guard phase == .stable, let coordinator else {
            let error = ClientError.refused(.rebalanceInProgress, "the member has no partitions")
            effects.append(.committed(ticket: ticket, error))
            return
        }
        lastToken += 1
        commits[lastToken] = ticket
        effects.append(.send(lastToken, .node(coordinator), commitRequest(offsets)))
    }

    private func commitRequest(_ offsets: [NamedPartition: CommittedOffset]) -> ClientRequest {
        var request = OffsetCommitRequest(of: settings.groupID, offsets)
        request.generationIdOrMemberEpoch = generation
        request.memberId = memberID
        request.groupInstanceId = settings.instanceID
        return .offsetCommit(request)
    }

    private mutating func committed(
        _ ticket: UInt64, _ answer: OffsetCommitResponse, at now: Instant,
        into effects: inout [Effect]
    ) {
        for topic in answer.topics {
            for part in topic.partitions where part.errorCode != 0 {
                let code = ErrorCode(rawValue: part.errorCode)
                let name = NamedPartition(topic.name, part.partitionIndex)
                effects.append(.committed(ticket: ticket, .refused(code, "\(name)")))
                let rejoins: [ErrorCode] = [
                    .rebalanceInProgress, .illegalGeneration, .unknownMemberId,
                ]
                if phase == .stable, rejoins.contains(code) || code == .notCoordinator {
                    refused(code, at: now, into: &effects)
                }
                return
            }
        }
        effects.append(.committed(ticket: ticket, nil))
    }

    private mutating func leave(into effects: inout [Effect]) {
        guard phase != .left, phase != .leaving else { return }
        if hasPartitions { effects.append(.revoked) }
        hasPartitions = false
        heartbeat = nil
        // A static member keeps its place until its session ends (KIP-345).
        guard let coordinator, !memberID.isEmpty, settings.instanceID == nil, phase != .stopped
        else {
            phase = .left
            effects.append(.left)
            return
        }
        phase = .leaving
        var request = LeaveGroupRequest()
        request.groupId = settings.groupID
        var member = LeaveGroupRequest.Member()
        member.memberId = memberID
        member.reason = "the consumer was closed"
        request.members = [member]
        ask(.node(coordinator), .leaveGroup(request), into: &effects)
    }
}
