internal import MillraceBase
internal import MillraceProtocol

// What administrators ask: ListGroups, DescribeGroups, DeleteGroups.
extension GroupCoordinator {
    /// Groups that the filters let through; upper and lower case are alike.
    func list(_ request: ListGroupsRequest) -> [ListGroupsResponse.Group] {
        let states = Set(request.statesFilter.map { $0.lowercased() })
        let types = Set(request.typesFilter.map { $0.lowercased() })
        guard types.isEmpty || types.contains("classic") else { return [] }
        return groups.keys.sorted().compactMap { id in
            guard let group = groups[id],
                states.isEmpty || states.contains(group.state.rawValue.lowercased())
            else { return nil }
            var told = ListGroupsResponse.Group()
            told.groupId = id
            told.protocolType = group.protocolType ?? ""
            told.groupState = group.state.rawValue
            told.groupType = "classic"
            return told
        }
    }

    func describe(_ id: String, _ version: Int16) -> DescribeGroupsResponse.Group {
        var told = DescribeGroupsResponse.Group()
        told.groupId = id
        guard let group = groups[id] else {
            told.groupState = "Dead"
            if version >= 6 {
                told.errorCode = ErrorCode.groupIdNotFound.rawValue
                told.errorMessage = "Group \(id) not found."
            }
            return told
        }
        told.groupState = group.state.rawValue
        told.protocolType = group.protocolType ?? ""
        let chosen = group.state == .stable ? group.protocolName : nil
        told.protocolData = chosen ?? ""
        told.members = group.joined.map { member in
            var described = DescribeGroupsResponse.Group.Member()
            described.memberId = member.id
            described.groupInstanceId = member.instanceID
            described.clientId = member.client.id
            described.clientHost = member.client.host
            described.memberMetadata = chosen.map { member.metadata(of: $0) } ?? []
            described.memberAssignment = member.assignment
            return described
        }
        return told
    }

    /// Deletes an empty group and its offsets.
    mutating func delete(
        _ id: String, _ token: RequestToken, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        guard let group = groups[id] else {
            return effects.append(.reply(token, .deleted(.groupIdNotFound)))
        }
        guard group.state == .empty else {
            return effects.append(.reply(token, .deleted(.nonEmptyGroup)))
        }
        let change = remove(id, &effects)
        changes.wait(for: change, .reply(token, .deleted(.none)))
    }

    /// Takes a group out of the log and out of memory.
    mutating func remove(_ id: String, _ effects: inout [GroupEffect]) -> ChangeToken {
        precondition(groups[id]?.members.isEmpty ?? true, "only an empty group is removed")
        var records = offsets.all(id).map { forget($0.place, of: id) }
        records.append(GroupRecords.group(id, nil))
        for timer in (groups[id]?.pending ?? [:]).values { timers.cancel(timer) }
        groups[id] = nil
        return append(records, group: id, &effects)
    }
}
