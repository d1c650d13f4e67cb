import MillraceBase

/// Which leader epochs wrote a log, and where each began (KIP-101), with Kafka's rules and file.
struct LeaderEpochs {
    static let fileName = "leader-epoch-checkpoint"

    /// Ascending in both fields.
    private(set) var entries: [EpochStart] = []

    init(_ entries: [EpochStart] = []) {
        for entry in entries { assign(entry.epoch, at: entry.start) }
    }

    var latest: LeaderEpoch? { entries.last?.epoch }

    /// Notes that `epoch` begins at `start`.
    /// - Returns: whether anything changed.
    @discardableResult
    mutating func assign(_ epoch: LeaderEpoch, at start: Offset) -> Bool {
        guard epoch.rawValue >= 0, start.rawValue >= 0 else { return false }
        if let last = entries.last, last.epoch >= epoch, last.start <= start { return false }
        // What an older history says from here on is void.
        while let last = entries.last, last.epoch >= epoch || last.start >= start {
            entries.removeLast()
        }
        entries.append(EpochStart(epoch: epoch, start: start))
        return true
    }

    /// The largest epoch not after `epoch`, and where it ends; both none if `epoch` is later than
    /// all that are known.
    func end(of epoch: LeaderEpoch, logEnd: Offset) -> (epoch: LeaderEpoch, end: Offset) {
        guard epoch != .none, let last = entries.last else { return (.none, .none) }
        if epoch == last.epoch { return (epoch, logEnd) }
        guard let higher = entries.first(where: { $0.epoch > epoch }) else {
            return (.none, .none)
        }
        let floor = entries.last { $0.epoch <= epoch }
        return (floor?.epoch ?? epoch, higher.start)
    }

    /// The epoch in which `offset` was or will be written.
    func epoch(of offset: Offset) -> LeaderEpoch? {
        entries.last { $0.start <= offset }?.epoch
    }

    /// Drops epochs that begin at or after `end`.
    /// - Returns: whether anything changed.
    mutating func truncateEnd(to end: Offset) -> Bool {
        let count = entries.count
        while let last = entries.last, last.start >= end { entries.removeLast() }
        return entries.count != count
    }

    /// Drops epochs that end at or before `start`; the one that spans it begins there.
    /// - Returns: whether anything changed.
    mutating func truncateStart(to start: Offset) -> Bool {
        guard let spanning = entries.lastIndex(where: { $0.start <= start }) else { return false }
        guard spanning > 0 || entries[spanning].start != start else { return false }
        entries.removeFirst(spanning)
        entries[0].start = start
        return true
    }
}
