package import MillraceBase
internal import MillraceProtocol
internal import Replication
package import Storage

/// One partition of a fetch, as the shard that has it reads it.
package struct FetchItem: Sendable {
    /// Place among the fetch's partitions.
    package var index: Int
    package var partition: TopicPartition
    package var offset: Offset
    package var bytesMax: Int
    /// −1: not checked.
    package var currentLeaderEpoch: Int32
    /// −1: not checked.
    package var lastFetchedEpoch: Int32
}

/// Partitions to read for a fetch of another shard's connection.
package struct FetchPart: Sendable {
    package var shard: Int
    package var operation: UInt64
    package var bytesMax: Int
    /// Whether the fetch waits as long as there are fewer than `bytesMin`: its partitions tell it
    /// when they have something new.
    package var watches: Bool
    package var bytesMin: Int
    package var items: [FetchItem]
}

/// What a shard read for another's fetch.
package struct FetchPartAnswer: Sendable {
    package var shard: Int
    /// Whether its partitions tell the fetch of what is new, until `ShardMessage.fetchEnded`.
    package var isWatched: Bool
    package var results: [FetchPartResult]
}

/// What was read of one partition.
package struct FetchPartResult: Sendable {
    package var index: Int
    package var outcome: FetchOutcome
}

/// The answer for one partition of a fetch.
package struct FetchOutcome: Sendable {
    package var errorCode: Int16 = 0
    package var highWatermark: Int64 = -1
    package var logStartOffset: Int64 = -1
    package var divergingEpoch: Int32 = -1
    package var divergingEnd: Int64 = -1
    package var slice: LogSlice?

    var byteCount: Int { slice?.byteCount ?? 0 }
    /// Whether it is answered at once, however little was read.
    var isUrgent: Bool { errorCode != 0 || divergingEpoch >= 0 }
}

/// A partition as a fetch or a fetch session names it.
struct FetchTarget {
    var topicName: String
    var topicID: TopicID
    var partition: Int32
    var offset: Int64
    var bytesMax: Int32
    var currentLeaderEpoch: Int32
    var lastFetchedEpoch: Int32
    /// What the session's client was told last; nil until it was told anything.
    var told: (highWatermark: Int64, logStartOffset: Int64)?
    /// Whether the session found its topic before: an id that is gone then is no unknown id.
    var wasFound = false

    var key: FetchTargetKey {
        FetchTargetKey(topicName: topicName, topicID: topicID, partition: partition)
    }
}

/// Names a partition within a session: by id, or by name before version 13.
struct FetchTargetKey: Hashable {
    var topicName: String
    var topicID: TopicID
    var partition: Int32
}

/// A Fetch request that is being carried out, on the shard of its connection.
struct FetchOperation {
    let token: ReplyToken
    let bytesMin: Int
    let bytesMax: Int
    let deadline: Instant
    /// The session whose partitions these are; 0 without one.
    let sessionID: Int32
    /// read_committed
    let isCommittedOnly: Bool
    /// Whether only what changed is told.
    let isIncremental: Bool
    var targets: [FetchTarget]
    var outcomes: [FetchOutcome?] = []
    /// Answers of other shards that are not here yet.
    var awaited = 0
    /// Other shards whose partitions tell of what is new, until they are told to stop.
    var watching: Set<Int> = []
    /// Something new came while answers were awaited.
    var wasWoken = false
    var timer: TimerID?
    /// Where watches are set, to take them away.
    var watched: [PartitionSlot] = []
}

/// Fetches that wait, and the sessions of this shard's clients.
struct FetchOperations {
    var waiting: [UInt64: FetchOperation] = [:]
    var sessions: FetchSessions
    /// Fetches of other shards' connections that partitions of this shard tell of what is new.
    var watched: [FetchWatch: [PartitionSlot]] = [:]

    init(sessionsMax: Int, shard: Int, shards: Int) {
        sessions = FetchSessions(max: sessionsMax, shard: shard, shards: shards)
    }
}
