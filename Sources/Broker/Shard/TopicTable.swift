internal import MillraceBase

/// A partition as the data plane sees it.
struct PartitionEntry {
    let id: TopicPartition
    var leader: NodeID
    var leaderEpoch: LeaderEpoch
    /// Its slot in this shard, if this node leads it and this shard has it.
    var slot: PartitionSlot?
    /// The shard that has it, if this node leads it.
    var shard: Int?
}

/// A topic as the data plane sees it: flat, found by one hash of its name or id.
struct TopicEntry {
    let id: TopicID
    let name: String
    var partitions: [PartitionEntry]
    /// Topics that clients do not write to.
    let isInternal: Bool
}

/// The topics of the cluster as a shard's hot path looks them up. Entries keep their index.
struct TopicTable {
    private var entries: [TopicEntry?] = []
    private var byName: [String: Int] = [:]
    private var byID: [TopicID: Int] = [:]
    private var free: [Int] = []

    func index(name: String) -> Int? { byName[name] }
    func index(id: TopicID) -> Int? { byID[id] }

    subscript(index: Int) -> TopicEntry? {
        get { entries[index] }
        set { entries[index] = newValue }
    }

    /// The entry of a partition, if the topic and the partition exist.
    func partition(_ topic: Int, _ index: Int32) -> PartitionEntry? {
        guard index >= 0, index < entries[topic]?.partitions.count ?? 0 else { return nil }
        return entries[topic]?.partitions[Int(index)]
    }

    /// Whether clients do not write to the topic.
    func isInternal(_ topic: Int) -> Bool { entries[topic]?.isInternal ?? false }

    /// The slot of a partition that this shard has.
    func slot(of partition: TopicPartition) -> PartitionSlot? {
        byID[partition.topic].flatMap { self.partition($0, partition.index)?.slot }
    }

    mutating func insert(_ entry: TopicEntry) -> Int {
        let index = free.popLast() ?? entries.count
        if index == entries.count { entries.append(entry) } else { entries[index] = entry }
        byName[entry.name] = index
        byID[entry.id] = index
        return index
    }

    mutating func remove(_ index: Int) {
        guard let entry = entries[index] else { return }
        // A topic of the same name may have been made before this one was taken out.
        if byName[entry.name] == index { byName[entry.name] = nil }
        byID[entry.id] = nil
        entries[index] = nil
        free.append(index)
    }

    /// The names of all topics, in order.
    var names: [String] { byName.keys.sorted() }
}
