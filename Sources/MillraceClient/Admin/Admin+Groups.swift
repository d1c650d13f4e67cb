internal import MillraceBase
package import MillraceClientCore
package import MillraceProtocol

/// Groups and their offsets.
extension Admin {
    /// The groups of all brokers.
    package func listGroups() async throws(ClientError) -> [ListGroupsResponse.Group] {
        var groups: [ListGroupsResponse.Group] = []
        for broker in try await brokers() {
            let answer = try await ask(
                ListGroupsRequest(), .listGroups, as: ListGroupsResponse.self, of: .node(broker))
            try Self.check(answer.errorCode, "groups of node \(broker.rawValue)")
            groups += answer.groups
        }
        return groups.sorted { $0.groupId < $1.groupId }
    }

    /// A group's state and members; nil if there is no such group.
    package func describeGroup(
        _ group: String
    ) async throws(ClientError) -> DescribeGroupsResponse.Group? {
        var request = DescribeGroupsRequest()
        request.groups = [group]
        let answer: DescribeGroupsResponse = try await coordinated(group, request, .describeGroups)
        guard let found = answer.groups.first else { throw .malformed("no group in the answer") }
        // An error since version 6 (KIP-1043), a dead group before.
        if ErrorCode(rawValue: found.errorCode) == .groupIdNotFound { return nil }
        try Self.check(found.errorCode, found.errorMessage)
        return found.groupState == "Dead" ? nil : found
    }

    /// What a consumer has in its group; nothing where the group's protocol is not the consumers'.
    package static func assignment(
        of member: DescribeGroupsResponse.Group.Member
    ) -> [NamedPartition] {
        do throws(CodecError) {
            return try GroupFraming.partitions(member.memberAssignment).sorted()
        } catch {
            return []
        }
    }

    /// Deletes a group, which must have no members.
    package func deleteGroup(_ group: String) async throws(ClientError) {
        var request = DeleteGroupsRequest()
        request.groupsNames = [group]
        let answer: DeleteGroupsResponse = try await coordinated(group, request, .deleteGroups)
        for result in answer.results { try Self.check(result.errorCode, nil) }
    }

    /// All that a group has committed.
    package func committedOffsets(
        of group: String
    ) async throws(ClientError) -> [NamedPartition: CommittedOffset] {
        var entry = OffsetFetchRequest.Group()
        entry.groupId = group
        entry.topics = nil
        var request = OffsetFetchRequest()
        request.groups = [entry]
        let answer: OffsetFetchResponse = try await coordinated(group, request, .offsetFetch)
        guard let found = answer.groups.first else { throw .malformed("no group in the answer") }
        try Self.check(found.errorCode, nil)
        var offsets: [NamedPartition: CommittedOffset] = [:]
        for topic in found.topics {
            for part in topic.partitions {
                let name = NamedPartition(topic.name, part.partitionIndex)
                try Self.check(part.errorCode, "\(name)")
                guard part.committedOffset >= 0 else { continue }
                offsets[name] = CommittedOffset(
                    offset: Offset(part.committedOffset), metadata: part.metadata ?? "")
            }
        }
        return offsets
    }

    /// Commits for a group that has no members: it begins there when it is next used.
    /// - Returns: what the coordinator said of each partition; `.none` where it was done.
    package func resetOffsets(
        of group: String, to offsets: [NamedPartition: CommittedOffset]
    ) async throws(ClientError) -> [NamedPartition: ErrorCode] {
        let request = OffsetCommitRequest(of: group, offsets)
        let answer: OffsetCommitResponse = try await coordinated(group, request, .offsetCommit)
        var codes: [NamedPartition: ErrorCode] = [:]
        for topic in answer.topics {
            for part in topic.partitions {
                let name = NamedPartition(topic.name, part.partitionIndex)
                codes[name] = ErrorCode(rawValue: part.errorCode)
            }
        }
        return codes
    }

    /// Asks a group's coordinator, which the first use of groups makes: it is waited for.
    private func coordinated<Answer: Message>(
        _ group: String, _ request: any Message, _ api: ApiKey
    ) async throws(ClientError) -> Answer {
        var find = FindCoordinatorRequest()
        find.coordinatorKeys = [group]
        let end = ContinuousClock.now + timeout
        while true {
            let found = try await ask(find, .findCoordinator, as: FindCoordinatorResponse.self)
            guard let coordinator = found.coordinators.first else {
                throw .malformed("no coordinator in the answer")
            }
            let code = ErrorCode(rawValue: coordinator.errorCode)
            if code == .none {
                let node = NodeID(coordinator.nodeId)
                return try await ask(request, api, as: Answer.self, of: .node(node))
            }
            // Cancelled: the caller sees the refusal.
            guard code.isRetriable, ContinuousClock.now < end,
                (try? await Task.sleep(for: .milliseconds(100))) != nil
            else { throw .refused(code, coordinator.errorMessage ?? "") }
        }
    }
}
