internal import MillraceBase
package import MillraceClientCore
package import MillraceProtocol

/// Groups and their offsets.
extension Admin {
    /// How often a coordinator that is not there yet is asked for again, every 100 ms.
    private static let attemptsMax = 50

    /// The groups of all brokers.
    package func listGroups() async throws(ClientError) -> [ListGroupsResponse.Group] {
        var request = MetadataRequest()
        request.topics = []
        request.allowAutoTopicCreation = false
        let brokers = try await ask(request, .metadata, as: MetadataResponse.self).brokers
        var groups: [ListGroupsResponse.Group] = []
        for broker in brokers.map({ NodeID($0.nodeId) }).sorted() {
            let answer = try await ask(
                ListGroupsRequest(), .listGroups, as: ListGroupsResponse.self, of: .node(broker))
            try Self.check(answer.errorCode, nil)
            groups += answer.groups
        }
        return groups.sorted { $0.groupId < $1.groupId }
    }

    /// A group's state and members.
    package func describeGroup(
        _ group: String
    ) async throws(ClientError) -> DescribeGroupsResponse.Group {
        var request = DescribeGroupsRequest()
        request.groups = [group]
        let answer: DescribeGroupsResponse = try await coordinated(group, request, .describeGroups)
        guard let found = answer.groups.first else { throw .malformed("no group in the answer") }
        try Self.check(found.errorCode, found.errorMessage ?? group)
        return found
    }

    /// Deletes groups that have no members.
    package func deleteGroup(_ group: String) async throws(ClientError) {
        var request = DeleteGroupsRequest()
        request.groupsNames = [group]
        let answer: DeleteGroupsResponse = try await coordinated(group, request, .deleteGroups)
        for result in answer.results { try Self.check(result.errorCode, group) }
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
        try Self.check(found.errorCode, group)
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
    package func resetOffsets(
        of group: String, to offsets: [NamedPartition: CommittedOffset]
    ) async throws(ClientError) {
        var request = OffsetCommitRequest()
        request.groupId = group
        for (partition, committed) in offsets.sorted(by: { $0.key < $1.key }) {
            if request.topics.last?.name != partition.topic {
                var topic = OffsetCommitRequest.Topic()
                topic.name = partition.topic
                request.topics.append(topic)
            }
            var part = OffsetCommitRequest.Topic.Partition()
            part.partitionIndex = partition.index
            part.committedOffset = committed.offset.rawValue
            part.committedMetadata = committed.metadata
            request.topics[request.topics.count - 1].partitions.append(part)
        }
        let answer: OffsetCommitResponse = try await coordinated(group, request, .offsetCommit)
        for topic in answer.topics {
            for part in topic.partitions {
                try Self.check(part.errorCode, "\(topic.name)-\(part.partitionIndex)")
            }
        }
    }

    /// Asks a group's coordinator, which the first use of groups makes.
    private func coordinated<Answer: Message>(
        _ group: String, _ request: any Message, _ api: ApiKey
    ) async throws(ClientError) -> Answer {
        var find = FindCoordinatorRequest()
        find.coordinatorKeys = [group]
        var code = ErrorCode.coordinatorNotAvailable
        for _ in 0..<Self.attemptsMax {
            let found = try await ask(find, .findCoordinator, as: FindCoordinatorResponse.self)
            guard let coordinator = found.coordinators.first else {
                throw .malformed("no coordinator in the answer")
            }
            code = ErrorCode(rawValue: coordinator.errorCode)
            if code == .none {
                let node = NodeID(coordinator.nodeId)
                return try await ask(request, api, as: Answer.self, of: .node(node))
            }
            guard code.isRetriable else { break }
            // Cancelled: the caller sees the refusal.
            guard (try? await Task.sleep(for: .milliseconds(100))) != nil else { break }
        }
        throw .refused(code, group)
    }
}
