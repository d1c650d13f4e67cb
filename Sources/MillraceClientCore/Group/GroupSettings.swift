package import MillraceBase

/// How a consumer is a member of a group. Names and defaults are Kafka's.
package struct GroupSettings: Equatable, Sendable {
    package var groupID: String
    /// Set for a static member, which keeps its partitions over a restart (KIP-345).
    package var instanceID: String?
    package var sessionTimeoutMs: Int32 = 45_000
    package var rebalanceTimeoutMs: Int32 = 300_000
    package var heartbeatInterval: Duration = .seconds(3)
    /// Whether what was processed is committed before a rebalance takes partitions back.
    package var commitsOnRevoke = false
    package var backoff = Backoff()

    package init(groupID: String) { self.groupID = groupID }
}

/// What a group has committed of a partition.
package struct CommittedOffset: Hashable, Sendable {
    package var offset: Offset
    package var metadata: String

    package init(offset: Offset, metadata: String = "") {
        self.offset = offset
        self.metadata = metadata
    }
}
