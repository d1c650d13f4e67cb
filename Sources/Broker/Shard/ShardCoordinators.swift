internal import MillraceBase
internal import MillraceProtocol
internal import Replication

/// The group coordinators of a shard.
struct ShardCoordinators {}

extension Shard {
    /// This node leads a partition of `__consumer_offsets` from now on.
    func coordinatorElected(_ partition: Int32, _ slot: PartitionSlot) {}

    /// Everything below `offset` of a partition is committed.
    func committed(_ slot: PartitionSlot, _ offset: Offset) {}

    /// A coordinator's append was committed, or is lost.
    func coordinatorAppended(_ token: UInt64, _ result: Result<AppendResult, ErrorCode>) {}

    func coordinate(_ call: CoordinatorCall) {}

    func coordinatorTick(_ partition: Int32) {}

    /// A topic is gone: so are the offsets committed for it.
    func topicDeleted(_ name: String) {}
}
