internal import MillraceBase
internal import MillraceProtocol

// JoinGroup: who may join, and what that starts.
extension GroupCoordinator {
    mutating func join(
        _ request: JoinGroupRequest, _ version: Int16, _ client: GroupClient,
        _ token: RequestToken, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        let joining = Joining(request: request, version: version, client: client, token: token)
        if let code = refusal(of: request) {
            return effects.append(joining.refused(code, member: request.memberId))
        }
        let id = request.groupId
        let isNew = request.memberId.isEmpty
        guard isNew || groups[id] != nil else {
            return effects.append(joining.refused(.unknownMemberId, member: request.memberId))
        }
        let group = groups[id] ?? Group(id: id, now: now.timestamp)
        groups[id] = group
        if !accepts(request.memberId, in: group) {
            effects.append(joining.refused(.groupMaxSizeReached, member: ""))
        } else if !group.supports(type: request.protocolType, joining.protocols) {
            effects.append(
                joining.refused(.inconsistentGroupProtocol, member: request.memberId))
        } else if isNew {
            joinNew(joining, now, &effects)
        } else {
            joinAgain(joining, now, &effects)
        }
        removeIfUnused(id)
    }

    /// What is wrong with a request, whatever the group.
    private func refusal(of request: JoinGroupRequest) -> ErrorCode? {
        if request.groupId.isEmpty { return .invalidGroupId }
        let session = Duration.milliseconds(request.sessionTimeoutMs)
        guard session >= settings.sessionTimeoutMin, session <= settings.sessionTimeoutMax else {
            return .invalidSessionTimeout
        }
        // What a member says of itself must fit the record that keeps the group.
        let bytes = request.protocols.reduce(0) { $0 + $1.name.utf8.count + $1.metadata.count }
        return bytes > settings.appendBytesMax ? .messageTooLarge : nil
    }

    /// `group.max.size`: in the join phase those count who are in it again.
    private func accepts(_ member: String, in group: Group) -> Bool {
        switch group.state {
        case .empty: return true
        case .preparingRebalance:
            return group.members[member]?.awaitingJoin != nil
                || group.members.values.count(where: { $0.awaitingJoin != nil })
                    < settings.membersMax
        case .completingRebalance, .stable:
            return group.members[member] != nil || group.members.count < settings.membersMax
        }
    }

    // MARK: A first join

    private mutating func joinNew(
        _ joining: Joining, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        let id = joining.request.groupId
        let name = joining.request.groupInstanceId ?? joining.client.id
        let member = memberID(named: name)
        if let instance = joining.request.groupInstanceId {
            if let old = groups[id]?.statics[instance] {
                returnStatic(joining, from: old, to: member, now, &effects)
            } else {
                add(joining, as: member, now, &effects)
            }
        } else if joining.version >= 4 {
            guard (groups[id]?.pending.count ?? 0) < settings.pendingMax else {
                return effects.append(joining.refused(.groupMaxSizeReached, member: ""))
            }
            groups[id]?.pending[member] = timers.schedule(
                .pendingMember(group: id, member: member),
                at: now.instant + .milliseconds(joining.request.sessionTimeoutMs))
            effects.append(joining.refused(.memberIdRequired, member: member))
        } else {
            add(joining, as: member, now, &effects)
        }
    }

    /// A new member's id. Of a very long name it has the beginning, so that answers and records,
    /// whose texts have at most 32,767 bytes, can hold it.
    private mutating func memberID(named name: String) -> String {
        let uuid = newUuid()
        var start = name[...]
        while start.utf8.count > Int(Int16.max) - 1 - uuid.utf8.count { start.removeLast() }
        return "\(start)-\(uuid)"
    }

    /// Random, in the form of Java's `UUID.toString`.
    private mutating func newUuid() -> String {
        let uuid = Uuid.random(using: &generator)
        func hex(_ value: UInt64, _ count: Int) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: count - digits.count) + digits
        }
        return hex(uuid.high >> 32, 8) + "-" + hex(uuid.high >> 16 & 0xFFFF, 4) + "-"
            + hex(uuid.high & 0xFFFF, 4) + "-" + hex(uuid.low >> 48, 4) + "-"
            + hex(uuid.low & 0xFFFF_FFFF_FFFF, 12)
    }

    private mutating func add(
        _ joining: Joining, as member: String, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        let id = joining.request.groupId
        if let timer = groups[id]?.pending.removeValue(forKey: member) { timers.cancel(timer) }
        if groups[id]?.members.isEmpty == true {
            groups[id]?.protocolType = joining.request.protocolType
        }
        groups[id]?.add(joining.member(member))
        groups[id]?.initialDelay?.hasNewMember = true
        restartSession(id, member, now)
        rebalanceOrCompleteJoin(id, now, &effects)
    }

    // MARK: A join of somebody known

    private mutating func joinAgain(
        _ joining: Joining, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        let (id, member) = (joining.request.groupId, joining.request.memberId)
        if joining.request.groupInstanceId == nil, groups[id]?.pending[member] != nil {
            return add(joining, as: member, now, &effects)
        }
        guard let group = groups[id] else { return }
        if let code = group.check(member: member, instance: joining.request.groupInstanceId) {
            return effects.append(joining.refused(code, member: member))
        }
        let isUnchanged = group.members[member]?.protocols == joining.protocols
        switch group.state {
        case .empty: effects.append(joining.refused(.unknownMemberId, member: member))
        case .completingRebalance where isUnchanged,
            .stable where isUnchanged && group.leader != member:
            // The answer was lost, or the client retries: the generation stands.
            var response = group.joinResponse(to: member)
            if group.leader == member { response.members = group.joinMembers }
            effects.append(.reply(joining.token, .join(response)))
            restartSession(id, member, now)
        case .preparingRebalance, .completingRebalance, .stable:
            update(joining, member, &effects)
            rebalanceOrCompleteJoin(id, now, &effects)
        }
    }

    /// What the member says now holds from the next generation on.
    private mutating func update(
        _ joining: Joining, _ member: String, _ effects: inout [GroupEffect]
    ) {
        let id = joining.request.groupId
        // It asked already, and again before it was answered: only the last request waits on.
        if let former = groups[id]?.takeJoin(of: member) {
            effects.append(
                .reply(former, .join(Joining.refusal(.rebalanceInProgress, member: member))))
        }
        let fresh = joining.member(member)
        groups[id]?.members[member]?.protocols = fresh.protocols
        groups[id]?.members[member]?.rebalanceTimeoutMs = fresh.rebalanceTimeoutMs
        groups[id]?.members[member]?.sessionTimeoutMs = fresh.sessionTimeoutMs
        groups[id]?.members[member]?.awaitingJoin = joining.token
    }

    // MARK: Static members

    /// A static member comes back without its id: it takes a new one in its former place, and the
    /// former is fenced (KIP-345). If nothing changes in a stable group, nobody else notices.
    private mutating func returnStatic(
        _ joining: Joining, from old: String, to new: String, _ now: Moment,
        _ effects: inout [GroupEffect]
    ) {
        let id = joining.request.groupId
        let formerLeader = groups[id]?.leader
        if let session = groups[id]?.members[old]?.session { timers.cancel(session) }
        answer(old, of: id, .fencedInstanceId, &effects)
        groups[id]?.replace(old, with: new)
        groups[id]?.members[new]?.session = nil
        update(joining, new, &effects)
        restartSession(id, new, now)
        guard let group = groups[id] else { return }
        switch group.state {
        case .stable where group.votedProtocol() == group.protocolName:
            var response = group.joinResponse(to: new)
            if joining.version >= 9 {
                // It is told all, and that it need not assign anew (KIP-814).
                response.skipAssignment = group.leader == new
                if group.leader == new { response.members = group.joinMembers }
            } else {
                // With the former leader's id it does not take itself for the leader.
                response.leader = formerLeader ?? ""
            }
            let record = GroupRecords.group(id, group.metadata())
            let change = append([record], group: id, &effects)
            changes.wait(for: change, .returned(group: id, member: new, response))
        case .stable, .completingRebalance: prepareRebalance(id, now, &effects)
        case .preparingRebalance: completeJoinIfAllAreHere(id, now, &effects)
        case .empty: preconditionFailure("a group with a static member is not empty")
        }
    }
}

/// A JoinGroup on its way.
struct Joining {
    let request: JoinGroupRequest
    let version: Int16
    let client: GroupClient
    let token: RequestToken

    var protocols: [Member.GroupProtocol] {
        request.protocols.map { Member.GroupProtocol(name: $0.name, metadata: $0.metadata) }
    }

    /// The member that it makes, waiting for its answer.
    func member(_ id: String) -> Member {
        var member = Member(
            id: id, instanceID: request.groupInstanceId, client: client,
            rebalanceTimeoutMs: version >= 1
                ? max(request.rebalanceTimeoutMs, 0) : request.sessionTimeoutMs,
            sessionTimeoutMs: request.sessionTimeoutMs, protocols: protocols)
        member.awaitingJoin = token
        return member
    }

    func refused(_ code: ErrorCode, member: String) -> GroupEffect {
        .reply(token, .join(Self.refusal(code, member: member)))
    }

    static func refusal(_ code: ErrorCode, member: String) -> JoinGroupResponse {
        var response = JoinGroupResponse()
        response.errorCode = code.rawValue
        response.protocolName = nil
        response.memberId = member
        return response
    }
}

extension Group {
    /// Whether a request names a member as the group knows it.
    func check(member: String, instance: String?) -> ErrorCode? {
        guard let instance else { return members[member] == nil ? .unknownMemberId : nil }
        guard let known = statics[instance] else { return .unknownMemberId }
        return known == member ? nil : .fencedInstanceId
    }

    /// The answer to a member's join in this generation, without the members.
    func joinResponse(to member: String) -> JoinGroupResponse {
        var response = JoinGroupResponse()
        response.generationId = generation
        response.protocolType = protocolType
        response.protocolName = protocolName
        response.leader = leader ?? ""
        response.memberId = member
        return response
    }

    /// The members as the leader is told them.
    var joinMembers: [JoinGroupResponse.Member] {
        joined.map { member in
            var told = JoinGroupResponse.Member()
            told.memberId = member.id
            told.groupInstanceId = member.instanceID
            told.metadata = protocolName.map { member.metadata(of: $0) } ?? []
            return told
        }
    }
}
