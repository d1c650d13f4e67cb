internal import Broker
internal import Storage

/// What other threads give to a shard's loop.
enum ShardInput: Sendable {
    case message(ShardMessage)
    case written(PartitionSlot, StagedAppend, FileFault?)
    case flushed(PartitionSlot, FlushJob, FileFault?)
    /// Accept no more connections, and close those that are open.
    case stopServing
    /// Close the logs and end.
    case stop
}
