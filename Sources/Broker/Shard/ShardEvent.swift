package import MillraceBase
internal import MillraceProtocol
package import Storage

/// Names a partition of a shard: an index into its slots. Used again once nothing is under way for
/// a partition that was deleted.
package struct PartitionSlot: Hashable, Sendable {
    package var index: Int
    package init(index: Int) { self.index = index }
}

/// What a shard is told.
package enum ShardEvent {
    /// A connection is ready.
    case opened(ConnectionKey, ConnectionInfo)
    /// A whole frame without its size. The bytes are valid until the effects of this step, `.write`
    /// among them, have been carried out; they may be changed in place.
    case frame(ConnectionKey, UnsafeMutableRawBufferPointer)
    case closed(ConnectionKey)
    /// From another shard or the control loop.
    case message(ShardMessage)
    /// An append was written, or the write failed.
    case written(PartitionSlot, StagedAppend, FileFault?)
    case flushed(PartitionSlot, FlushJob, FileFault?)
    /// Time has passed; at least when `.wake` asked for it.
    case tick
}

/// What a shard wants done. The runner does it in this order.
package enum ShardEffect {
    case send(ConnectionKey, Reply)
    /// Close a connection once what was sent has left; a few words say why.
    case close(ConnectionKey, String)
    /// Hand over no more frames of a connection, until `.resume`.
    case pause(ConnectionKey)
    case resume(ConnectionKey)
    case post(shard: Int, ShardMessage)
    case control(ControlMessage)
    /// Write these bytes, then tell `.written`. They are valid during this step's effects only.
    case write(PartitionSlot, StagedAppend, UnsafeRawBufferPointer)
    /// Make durable on a disk thread, then tell `.flushed`.
    case flush(PartitionSlot, FlushJob)
    /// Remove files on a disk thread.
    case remove(RemovalJob)
    /// Remove a deleted partition's folder on a disk thread, after a delay.
    case removeTree(path: String, FileSystemReference, after: Duration)
    /// Write checkpoints on a disk thread.
    /// If it is urgent, at once: the next event must find it on disk.
    case checkpoint(LogDirectory, DirectoryCheckpoints, isUrgent: Bool)
    /// Other limits and certificates hold for connections that come from now on.
    case configureNetwork(DynamicNetwork)
    /// Tell `.tick` at this time at the latest.
    case wake(Instant)
}

/// A file system to do something in, for another thread.
package struct FileSystemReference: Sendable {
    package let fileSystem: any FileSystem
    package init(_ fileSystem: any FileSystem) { self.fileSystem = fileSystem }
}
