internal import MillraceBase
internal import Storage
internal import Synchronization

/// Joins what the shards say for the checkpoint files, which are one set for a directory, and
/// writes them. Called on disk threads.
final class CheckpointWriter: Sendable {
    private let byShard: Mutex<[Int: DirectoryCheckpoints]>
    private let shards: Int
    private let log: Log

    /// - Parameter shards: how many parts make the whole: none is written without the others, which
    ///   would be forgotten.
    init(shards: Int, log: Log) {
        byShard = Mutex([:])
        self.shards = shards
        self.log = log
    }

    /// Notes a shard's part and writes all parts.
    func write(
        _ checkpoints: DirectoryCheckpoints, of shard: Int, to directory: LogDirectory
    ) {
        do throws(StorageError) {
            // The lock is held while the files are written: they are one set, and two writers
            // would rename each other's temporary files away.
            try byShard.withLock { byShard throws(StorageError) in
                byShard[shard] = checkpoints
                guard byShard.count == shards else { return }
                let all = byShard.values.reduce(into: DirectoryCheckpoints()) { all, part in
                    all.recoveryPoints.merge(part.recoveryPoints) { $1 }
                    all.startOffsets.merge(part.startOffsets) { $1 }
                    all.highWatermarks.merge(part.highWatermarks) { $1 }
                }
                try directory.writeCheckpoints(all)
            }
        } catch {
            log.error(
                "checkpoints not written", code: "storage.checkpoint",
                ["cause": .text(error.description)])
        }
    }
}
