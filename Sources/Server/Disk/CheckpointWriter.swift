internal import MillraceBase
internal import Storage
internal import Synchronization

/// Joins what the shards say for the checkpoint files, which are one set for a directory, and
/// writes them. Any thread.
final class CheckpointWriter: Sendable {
    private struct Part {
        var checkpoints: DirectoryCheckpoints
        var number: Int
    }

    private let byShard: Mutex<[Int: Part]>
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
    /// - Parameter number: grows with each of the shard's parts; one that is older than what was
    ///   noted is passed over.
    func write(
        _ checkpoints: DirectoryCheckpoints, _ number: Int, of shard: Int,
        to directory: LogDirectory
    ) {
        do throws(StorageError) {
            // The lock is held while the files are written: they are one set, and two writers
            // would rename each other's temporary files away.
            try byShard.withLock { byShard throws(StorageError) in
                if let noted = byShard[shard], noted.number > number { return }
                byShard[shard] = Part(checkpoints: checkpoints, number: number)
                guard byShard.count == shards else { return }
                let parts = byShard.values.map(\.checkpoints)
                let all = parts.reduce(into: DirectoryCheckpoints()) { all, part in
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
