internal import MillraceBase
internal import MillraceProtocol

/// One client's fetch session (KIP-227): its partitions, so that a request names only changes.
struct FetchSession {
    let id: Int32
    /// The epoch that the next request must have.
    var epoch: Int32
    let usesTopicIDs: Bool
    /// In the order in which they are read; those that gave data go to the end.
    var order: [FetchTargetKey] = []
    var targets: [FetchTargetKey: FetchTarget] = [:]
    var lastUsed: Instant

    mutating func put(_ target: FetchTarget) {
        var target = target
        if let old = targets[target.key] {
            (target.told, target.wasFound) = (old.told, old.wasFound)
        } else {
            order.append(target.key)
        }
        targets[target.key] = target
    }

    mutating func remove(_ keys: Set<FetchTargetKey>) {
        guard !keys.isEmpty else { return }
        for key in keys { targets[key] = nil }
        order.removeAll { keys.contains($0) }
    }

    /// Those that gave data are read after the others next time.
    mutating func moveToEnd(_ keys: [FetchTargetKey]) {
        guard !keys.isEmpty, order.count > 1 else { return }
        let moved = Set(keys)
        order.removeAll { moved.contains($0) }
        for key in keys where targets[key] != nil { order.append(key) }
    }
}

/// The sessions of a shard's clients: at most a number of them. At the limit the one that was not
/// used longest gives way if that is two minutes ago; else a new client gets none, and sends whole
/// requests.
struct FetchSessions {
    private let max: Int
    private let shard: Int
    private let shards: Int
    private var counter: Int32 = 0
    private var byID: [Int32: FetchSession] = [:]

    /// Kafka's time before a session may be evicted.
    private static let evictionAge = Duration.seconds(120)

    init(max: Int, shard: Int, shards: Int) {
        (self.max, self.shard, self.shards) = (max, shard, shards)
    }

    var count: Int { byID.count }

    subscript(id: Int32) -> FetchSession? {
        get { byID[id] }
        set { byID[id] = newValue }
    }

    /// A new session, or nil if there are too many.
    mutating func make(
        _ targets: [FetchTarget], usesTopicIDs: Bool, now: Instant
    ) -> FetchSession? {
        if byID.count >= max, !evict(now) { return nil }
        repeat {
            counter = counter == Int32.max / Int32(shards) - 1 ? 1 : counter + 1
        } while byID[id(counter)] != nil
        var session = FetchSession(
            id: id(counter), epoch: 1, usesTopicIDs: usesTopicIDs, lastUsed: now)
        for target in targets { session.put(target) }
        byID[session.id] = session
        return session
    }

    /// Ids of different shards differ, so that one that comes to the wrong shard is not found.
    private func id(_ counter: Int32) -> Int32 { counter * Int32(shards) + Int32(shard) }

    private mutating func evict(_ now: Instant) -> Bool {
        guard let oldest = byID.values.min(by: { ($0.lastUsed, $0.id) < ($1.lastUsed, $1.id) }),
            now - oldest.lastUsed > Self.evictionAge
        else { return false }
        byID[oldest.id] = nil
        return true
    }
}
