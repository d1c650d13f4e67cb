internal import MillraceBase
internal import MillraceProtocol

// The phases of a rebalance: all join, the leader's assignment comes, it is given out.
extension GroupCoordinator {
    mutating func rebalanceOrCompleteJoin(
        _ id: String, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        if groups[id]?.state == .preparingRebalance {
            completeJoinIfAllAreHere(id, now, &effects)
        } else {
            prepareRebalance(id, now, &effects)
        }
    }

    /// The join phase begins: all members are to join again.
    mutating func prepareRebalance(
        _ id: String, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        guard let group = groups[id] else { return }
        precondition(group.state != .preparingRebalance, "a rebalance begins once")
        if group.state == .completingRebalance {
            for member in group.order {
                groups[id]?.members[member]?.assignment = []
                answerSync(member, of: id, .rebalanceInProgress, &effects)
            }
        }
        cancelTimers(id)
        groups[id]?.appendedAssignment = [:]
        groups[id]?.pendingSync = []
        groups[id]?.move(to: .preparingRebalance, at: now.timestamp)
        guard group.state == .empty else {
            if groups[id]?.haveAllJoined == true {
                joinPhaseEnded(id, now, &effects)
            } else {
                scheduleJoinPhase(id, after: .milliseconds(group.rebalanceTimeoutMs), now)
            }
            return
        }
        // Members of a new group tend to come together: wait for more of them.
        let delay = settings.initialRebalanceDelay
        let whole = Duration.milliseconds(group.rebalanceTimeoutMs)
        groups[id]?.initialDelay = InitialDelay(left: max(whole - delay, .zero))
        if delay <= .zero {
            joinPhaseEnded(id, now, &effects)
        } else {
            scheduleJoinPhase(id, after: delay, now)
        }
    }

    private mutating func cancelTimers(_ id: String) {
        for case let timer? in [groups[id]?.joinTimer, groups[id]?.syncTimer] {
            timers.cancel(timer)
        }
        groups[id]?.joinTimer = nil
        groups[id]?.syncTimer = nil
    }

    private mutating func scheduleJoinPhase(_ id: String, after delay: Duration, _ now: Moment) {
        let timer = timers.schedule(.joinPhase(group: id), at: now.instant + delay)
        groups[id]?.joinTimer = timer
    }

    /// Ends the join phase early, if nobody is awaited any more.
    mutating func completeJoinIfAllAreHere(
        _ id: String, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        guard let group = groups[id], group.state == .preparingRebalance,
            group.initialDelay == nil, group.haveAllJoined
        else { return }
        joinPhaseEnded(id, now, &effects)
    }

    /// The join phase is over, or the first rebalance's delay.
    mutating func joinPhaseEnded(
        _ id: String, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        guard let group = groups[id], group.state == .preparingRebalance else { return }
        if let delay = group.initialDelay, delay.hasNewMember, delay.left > .zero {
            let step = min(settings.initialRebalanceDelay, delay.left)
            let left = max(delay.left - settings.initialRebalanceDelay, .zero)
            groups[id]?.initialDelay = InitialDelay(left: left)
            return scheduleJoinPhase(id, after: step, now)
        }
        groups[id]?.initialDelay = nil
        cancelTimers(id)
        for member in group.joined where member.awaitingJoin == nil && member.instanceID == nil {
            drop(member.id, of: id, .unknownMemberId, &effects)
        }
        guard electLeader(id) else {
            // Only static members are left, and none is back: their sessions decide.
            let timeout = Duration.milliseconds(max(group.rebalanceTimeoutMs, 1))
            return scheduleJoinPhase(id, after: timeout, now)
        }
        beginGeneration(id, now, &effects)
    }

    /// - Returns: whether there is a leader that has joined, or nobody to lead.
    private mutating func electLeader(_ id: String) -> Bool {
        guard let group = groups[id], !group.members.isEmpty else { return true }
        if let leader = group.leader, group.members[leader]?.awaitingJoin != nil { return true }
        guard let first = group.joined.first(where: { $0.awaitingJoin != nil }) else {
            return false
        }
        groups[id]?.leader = first.id
        return true
    }

    private mutating func beginGeneration(
        _ id: String, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        guard var group = groups[id] else { return }
        // Clients compare generations: after the last possible number they begin anew.
        group.generation = group.generation == .max ? 1 : group.generation + 1
        guard !group.members.isEmpty else {
            group.protocolName = nil
            group.leader = nil
            group.move(to: .empty, at: now.timestamp)
            groups[id] = group
            _ = append([GroupRecords.group(id, group.metadata())], group: id, &effects)
            return
        }
        group.protocolName = group.votedProtocol()
        group.move(to: .completingRebalance, at: now.timestamp)
        group.pendingSync = Set(group.order)
        groups[id] = group
        for member in group.order {
            var response = group.joinResponse(to: member)
            if member == group.leader { response.members = group.joinMembers }
            if let token = groups[id]?.takeJoin(of: member) {
                effects.append(.reply(token, .join(response)))
            }
            groups[id]?.members[member]?.isNew = false
            restartSession(id, member, now)
        }
        groups[id]?.syncTimer = timers.schedule(
            .syncPhase(group: id), at: now.instant + .milliseconds(group.rebalanceTimeoutMs))
    }

    /// Who joined and did not send SyncGroup in time is put out.
    mutating func syncPhaseEnded(
        _ id: String, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        guard let group = groups[id], !group.pendingSync.isEmpty else { return }
        switch group.state {
        case .empty, .preparingRebalance: return
        case .completingRebalance, .stable:
            for member in group.order where group.pendingSync.contains(member) {
                drop(member, of: id, .unknownMemberId, &effects)
            }
            prepareRebalance(id, now, &effects)
        }
    }

    /// The assignment is in the log: the group is stable.
    mutating func giveOutAssignment(
        _ id: String, _ generation: Int32, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        guard let group = groups[id], group.state == .completingRebalance,
            group.generation == generation
        else { return }  // another rebalance has begun
        groups[id]?.appendedAssignment = [:]
        groups[id]?.move(to: .stable, at: now.timestamp)
        for member in group.order {
            groups[id]?.members[member]?.assignment = group.appendedAssignment[member] ?? []
            guard let token = groups[id]?.takeSync(of: member) else { continue }
            if let response = groups[id]?.syncResponse(to: member) {
                effects.append(.reply(token, .sync(response)))
            }
            restartSession(id, member, now)
        }
    }

    // MARK: Members that go

    /// Takes a member out, and answers what it waits for.
    mutating func drop(
        _ member: String, of id: String, _ code: ErrorCode, _ effects: inout [GroupEffect]
    ) {
        if let session = groups[id]?.members[member]?.session { timers.cancel(session) }
        answer(member, of: id, code, &effects)
        groups[id]?.remove(member)
        groups[id]?.appendedAssignment[member] = nil
    }

    /// Answers a member's waiting requests with an error.
    mutating func answer(
        _ member: String, of id: String, _ code: ErrorCode, _ effects: inout [GroupEffect]
    ) {
        if let token = groups[id]?.takeJoin(of: member) {
            effects.append(.reply(token, .join(Joining.refusal(code, member: member))))
        }
        answerSync(member, of: id, code, &effects)
    }

    mutating func answerSync(
        _ member: String, of id: String, _ code: ErrorCode, _ effects: inout [GroupEffect]
    ) {
        guard let token = groups[id]?.takeSync(of: member) else { return }
        var response = SyncGroupResponse()
        response.errorCode = code.rawValue
        effects.append(.reply(token, .sync(response)))
    }

    /// Members have gone: the others share anew.
    mutating func afterRemoval(_ id: String, _ now: Moment, _ effects: inout [GroupEffect]) {
        switch groups[id]?.state {
        case .stable, .completingRebalance: prepareRebalance(id, now, &effects)
        case .preparingRebalance: completeJoinIfAllAreHere(id, now, &effects)
        case .empty, nil: break
        }
    }
}

extension Group {
    /// The answer to a member's SyncGroup in this generation.
    func syncResponse(to member: String) -> SyncGroupResponse {
        var response = SyncGroupResponse()
        response.protocolType = protocolType
        response.protocolName = protocolName
        response.assignment = members[member]?.assignment ?? []
        return response
    }
}
