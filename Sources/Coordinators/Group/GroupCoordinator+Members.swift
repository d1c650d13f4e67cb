internal import MillraceBase
internal import MillraceProtocol

// What members ask: SyncGroup, Heartbeat, LeaveGroup.
extension GroupCoordinator {
    mutating func sync(
        _ request: SyncGroupRequest, _ token: RequestToken, _ now: Moment,
        _ effects: inout [GroupEffect]
    ) {
        if let code = refusal(of: request) {
            var response = SyncGroupResponse()
            response.errorCode = code.rawValue
            return effects.append(.reply(token, .sync(response)))
        }
        let (id, member) = (request.groupId, request.memberId)
        groups[id]?.pendingSync.remove(member)
        if let group = groups[id], group.pendingSync.isEmpty, let timer = group.syncTimer {
            timers.cancel(timer)
            groups[id]?.syncTimer = nil
        }
        guard let group = groups[id] else { return }
        guard group.state == .completingRebalance else {
            effects.append(.reply(token, .sync(group.syncResponse(to: member))))
            return restartSession(id, member, now)
        }
        // It asked already, and again before it was answered: only the last request waits on.
        answerSync(member, of: id, .rebalanceInProgress, &effects)
        groups[id]?.members[member]?.awaitingSync = token
        if member == group.leader, group.appendedAssignment.isEmpty {
            assign(request, now, &effects)
        }
    }

    private func refusal(of request: SyncGroupRequest) -> ErrorCode? {
        if request.groupId.isEmpty { return .invalidGroupId }
        guard let group = groups[request.groupId] else { return .unknownMemberId }
        if let code = group.check(member: request.memberId, instance: request.groupInstanceId) {
            return code
        }
        guard request.generationId == group.generation else { return .illegalGeneration }
        if let type = request.protocolType, type != group.protocolType {
            return .inconsistentGroupProtocol
        }
        if let name = request.protocolName, group.protocolName != nil, name != group.protocolName {
            return .inconsistentGroupProtocol
        }
        switch group.state {
        case .empty: return .unknownMemberId
        case .preparingRebalance: return .rebalanceInProgress
        case .completingRebalance, .stable: return nil
        }
    }

    /// The leader's assignment: each member gets what is given to it, or nothing.
    private mutating func assign(
        _ request: SyncGroupRequest, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        let id = request.groupId
        guard let group = groups[id] else { return }
        var assignments: [String: [UInt8]] = [:]
        for member in group.order { assignments[member] = [] }
        for given in request.assignments where assignments[given.memberId] != nil {
            assignments[given.memberId] = given.assignment
        }
        let record = GroupRecords.group(id, group.metadata(assignments: assignments))
        guard record.bytesMax <= settings.appendBytesMax else {
            for member in group.order { answerSync(member, of: id, .unknownServerError, &effects) }
            return prepareRebalance(id, now, &effects)
        }
        groups[id]?.appendedAssignment = assignments
        let change = append([record], group: id, &effects)
        changes.wait(for: change, .assignment(group: id, generation: group.generation))
    }

    mutating func heartbeat(_ request: HeartbeatRequest, _ now: Moment) -> ErrorCode {
        if request.groupId.isEmpty { return .invalidGroupId }
        guard let group = groups[request.groupId] else { return .unknownMemberId }
        if let code = group.check(member: request.memberId, instance: request.groupInstanceId) {
            return code
        }
        guard request.generationId == group.generation else { return .illegalGeneration }
        if group.state == .empty { return .unknownMemberId }
        restartSession(request.groupId, request.memberId, now)
        return group.state == .preparingRebalance ? .rebalanceInProgress : .none
    }

    mutating func leave(
        _ request: LeaveGroupRequest, _ version: Int16, _ token: RequestToken, _ now: Moment,
        _ effects: inout [GroupEffect]
    ) {
        var response = LeaveGroupResponse()
        guard !request.groupId.isEmpty else {
            response.errorCode = ErrorCode.invalidGroupId.rawValue
            return effects.append(.reply(token, .leave(response)))
        }
        var asked = request.members
        if version <= 2 {
            asked = [LeaveGroupRequest.Member()]
            asked[0].memberId = request.memberId
        }
        var hasLeft = false
        let codes = asked.map { member -> ErrorCode in
            let code = leave(member, request.groupId, &hasLeft, &effects)
            var told = LeaveGroupResponse.Member()
            (told.memberId, told.groupInstanceId) = (member.memberId, member.groupInstanceId)
            told.errorCode = code.rawValue
            response.members.append(told)
            return code
        }
        if version <= 2 { response.errorCode = (codes.first ?? .none).rawValue }
        let before = lastChanges[request.groupId]
        if hasLeft { afterRemoval(request.groupId, now, &effects) }
        removeIfUnused(request.groupId)
        if let change = lastChanges[request.groupId], change != before {
            changes.wait(for: change, .reply(token, .leave(response)))
        } else {
            effects.append(.reply(token, .leave(response)))
        }
    }

    private mutating func leave(
        _ member: LeaveGroupRequest.Member, _ id: String, _ hasLeft: inout Bool,
        _ effects: inout [GroupEffect]
    ) -> ErrorCode {
        guard let group = groups[id] else { return .unknownMemberId }
        // An instance alone will do: administrators know no member ids.
        var leaving = member.memberId
        if leaving.isEmpty, let instance = member.groupInstanceId {
            guard let known = group.statics[instance] else { return .unknownMemberId }
            leaving = known
        }
        if member.groupInstanceId == nil, let timer = group.pending[leaving] {
            timers.cancel(timer)
            groups[id]?.pending[leaving] = nil
            hasLeft = hasLeft || group.state == .preparingRebalance
            return .none
        }
        if let code = group.check(member: leaving, instance: member.groupInstanceId) {
            return code
        }
        drop(leaving, of: id, .unknownMemberId, &effects)
        hasLeft = true
        return .none
    }
}
