internal import Broker
internal import MillraceNet
internal import Storage

/// What other threads give to a shard's loop.
enum ShardInput: Sendable {
    /// A socket to accept from, and how its connections behave.
    struct Listening: Sendable {
        let socket: ListeningSocket
        let settings: ConnectionSettings
    }

    /// An append that a disk thread has written, or could not.
    struct Written: Sendable {
        let slot: PartitionSlot
        let append: StagedAppend
        let byteCount: Int
        /// Whether the disk made it wait, as `WritePace` understands it.
        let wasSlow: Bool
        let fault: FileFault?
    }

    /// Accept connections: the metadata has been taken up.
    case serve([Listening])
    case message(ShardMessage)
    case written(Written)
    case flushed(PartitionSlot, FlushJob, FileFault?)
    /// Accept no more connections, and close those that are open.
    case stopServing
    /// Close the logs and end.
    case stop
}
