internal import MillraceBase
internal import MillraceProtocol

/// The committed offsets of all groups of a coordinator.
struct CommittedOffsets {
    /// One partition's.
    struct Entry: Equatable {
        var offset: Int64
        var leaderEpoch: Int32
        var metadata: String
        var committed: Timestamp
        /// Of clients before version 5, which said how long; nil: the broker's retention.
        var expires: Timestamp?
        var topicID: Uuid
    }

    /// A partition of a topic by name, as the records have it.
    struct Place: Hashable {
        var topic: String
        var partition: Int32
    }

    private var groups: [String: [String: [Int32: Entry]]] = [:]

    func has(_ group: String) -> Bool { groups[group] != nil }

    mutating func put(_ group: String, _ place: Place, _ entry: Entry) {
        groups[group, default: [:]][place.topic, default: [:]][place.partition] = entry
    }

    mutating func remove(_ group: String, _ place: Place) {
        groups[group]?[place.topic]?[place.partition] = nil
        if groups[group]?[place.topic]?.isEmpty == true { groups[group]?[place.topic] = nil }
        if groups[group]?.isEmpty == true { groups[group] = nil }
    }

    func entry(_ group: String, _ place: Place) -> Entry? {
        groups[group]?[place.topic]?[place.partition]
    }

    /// All entries of a group, in order of topic and partition.
    func all(_ group: String) -> [(place: Place, entry: Entry)] {
        guard let topics = groups[group] else { return [] }
        return topics.keys.sorted().flatMap { topic in
            (topics[topic] ?? [:]).sorted { $0.key < $1.key }.map {
                (place: Place(topic: topic, partition: $0.key), entry: $0.value)
            }
        }
    }

    /// Topics that have an entry in any group, in order.
    var topics: [String] { Set(groups.values.flatMap(\.keys)).sorted() }

    /// Places of some topics in all groups, in order.
    func places(of topics: [String]) -> [(group: String, places: [Place])] {
        groups.keys.sorted().compactMap { group in
            let places = topics.flatMap { topic in
                (groups[group]?[topic] ?? [:]).keys.sorted().map {
                    Place(topic: topic, partition: $0)
                }
            }
            return places.isEmpty ? nil : (group, places)
        }
    }

    /// What OffsetFetch tells: −1 for partitions without an offset.
    func fetch(_ group: String, _ topics: [OffsetTopic]?) -> [FetchedTopic] {
        let wanted =
            topics
            ?? (groups[group] ?? [:]).keys.sorted().map { topic in
                OffsetTopic(
                    name: topic, partitions: (groups[group]?[topic] ?? [:]).keys.sorted())
            }
        return wanted.map { topic in
            FetchedTopic(
                name: topic.name,
                partitions: topic.partitions.map { partition in
                    let entry = groups[group]?[topic.name]?[partition]
                    return FetchedTopic.Partition(
                        index: partition, offset: entry?.offset ?? -1,
                        leaderEpoch: entry?.leaderEpoch ?? -1, metadata: entry?.metadata ?? "")
                })
        }
    }

    mutating func replay(_ group: String, _ place: Place, _ value: OffsetCommitValue?) {
        guard let value else { return remove(group, place) }
        put(
            group, place,
            Entry(
                offset: value.offset, leaderEpoch: value.leaderEpoch, metadata: value.metadata,
                committed: Timestamp(value.commitTimestamp),
                expires: value.expireTimestamp < 0 ? nil : Timestamp(value.expireTimestamp),
                topicID: value.topicId))
    }
}
