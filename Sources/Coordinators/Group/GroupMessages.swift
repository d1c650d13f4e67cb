package import MillraceBase
package import MillraceProtocol

/// What group coordinators are asked. Requests about several groups come once for each group.
package enum GroupRequest: Sendable {
    case join(JoinGroupRequest, version: Int16)
    case sync(SyncGroupRequest)
    case heartbeat(HeartbeatRequest)
    case leave(LeaveGroupRequest, version: Int16)
    /// Topics and partitions exist, and a topic has both its name and its id where that is known.
    case commit(OffsetCommitRequest)
    /// Committed offsets of one group; nil topics are all.
    case fetchOffsets(group: String, topics: [OffsetTopic]?)
    /// Topics and partitions exist.
    case deleteOffsets(OffsetDeleteRequest)
    case list(ListGroupsRequest)
    case describe(group: String, version: Int16)
    case delete(group: String)
}

/// Partitions of a topic that committed offsets are asked for.
package struct OffsetTopic: Hashable, Sendable {
    package var name: String
    package var partitions: [Int32]

    package init(name: String, partitions: [Int32]) {
        self.name = name
        self.partitions = partitions
    }
}

/// Committed offsets of a topic, as OffsetFetch tells them; offset −1 if there is none.
package struct FetchedTopic: Hashable, Sendable {
    /// One partition's.
    package struct Partition: Hashable, Sendable {
        package var index: Int32
        package var offset: Int64
        package var leaderEpoch: Int32
        package var metadata: String

        package init(index: Int32, offset: Int64, leaderEpoch: Int32, metadata: String) {
            (self.index, self.offset) = (index, offset)
            (self.leaderEpoch, self.metadata) = (leaderEpoch, metadata)
        }
    }

    package var name: String
    package var partitions: [Partition]

    package init(name: String, partitions: [Partition]) {
        self.name = name
        self.partitions = partitions
    }
}

/// What group coordinators answer.
package enum GroupResponse: Equatable, Sendable {
    case join(JoinGroupResponse)
    case sync(SyncGroupResponse)
    case heartbeat(ErrorCode)
    case leave(LeaveGroupResponse)
    /// In the order of the request's partitions.
    case commit([ErrorCode])
    case offsets([FetchedTopic])
    /// In the order of the request's partitions.
    case deletedOffsets([ErrorCode])
    case list([ListGroupsResponse.Group])
    case described(DescribeGroupsResponse.Group)
    case deleted(ErrorCode)
    /// The whole request is refused: the group is not what it says, the coordinator does not serve
    /// now, or it lost its state while the request waited.
    case failed(ErrorCode)
}

/// Who asks.
package struct GroupClient: Hashable, Sendable {
    package var id: String
    /// As Kafka shows it, `/127.0.0.1`.
    package var host: String

    package init(id: String, host: String) {
        self.id = id
        self.host = host
    }
}

/// What happens to a group coordinator.
package enum GroupEvent: Sendable {
    case request(GroupRequest, GroupClient, RequestToken)
    /// A record of the log, before `loaded`, in order; with the producer whose transaction it is
    /// part of.
    case replay(CoordinatorRecord, transaction: Int64?)
    /// The end of a producer's transaction, before `loaded`, in order.
    case replayEnd(transaction: Int64, isCommit: Bool)
    /// The log has been read whole: requests are served.
    case loaded
    /// A change that was appended is committed.
    case committed(ChangeToken)
    /// A change could not be appended or committed: leadership or the disk is lost. The coordinator
    /// drops its state.
    case lost(ErrorCode)
    /// Topics are gone, and the offsets committed for them.
    case topicsDeleted([String])
    /// A topic has this id now: offsets that were committed for another of its name are gone.
    case topicReplaced(String, by: Uuid)
    case tick
}

/// What a group coordinator wants done.
package enum GroupEffect: Equatable, Sendable {
    /// Append these as one batch, and tell `.committed`.
    case append([CoordinatorRecord], ChangeToken)
    case reply(RequestToken, GroupResponse)
}

/// The settings of the groups, Kafka's names and units.
package struct GroupSettings: Sendable {
    package var sessionTimeoutMin = Duration.milliseconds(6_000)
    package var sessionTimeoutMax = Duration.milliseconds(1_800_000)
    package var initialRebalanceDelay = Duration.milliseconds(3_000)
    package var membersMax = Int(Int32.max)
    package var offsetMetadataBytesMax = 4_096
    package var offsetsRetention = Duration.seconds(7 * 86_400)
    package var offsetsRetentionCheckInterval = Duration.seconds(600)
    /// How many bytes of records one append may have: below `max.message.bytes` of the log's topic.
    package var appendBytesMax = 1_000_000
    /// Ids of one group that were given out and have not joined: Kafka has no limit.
    package var pendingMax = 10_000

    package init() {}
}
