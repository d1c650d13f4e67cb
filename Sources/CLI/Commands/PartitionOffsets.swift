internal import MillraceClient
internal import MillraceProtocol

/// First and last offsets of partitions.
struct PartitionOffsets {
    struct Range {
        var start: Int64
        /// Exclusive.
        var end: Int64
    }

    private var ranges: [String: [Int32: Range]] = [:]

    subscript(topic: String, partition: Int32) -> Range? { ranges[topic]?[partition] }

    /// Asks the leaders; a partition without a leader has no entry.
    static func load(
        _ client: RequestClient, _ topics: [MetadataResponse.Topic]
    ) throws(CLIError) -> PartitionOffsets {
        let starts = try offsets(client, topics, at: ListOffsets.earliest)
        let ends = try offsets(client, topics, at: ListOffsets.latest)
        var found = PartitionOffsets()
        for (key, start) in starts {
            guard let end = ends[key] else { continue }
            found.ranges[key.topic, default: [:]][key.partition] = Range(start: start, end: end)
        }
        return found
    }

    /// The offsets at one timestamp of all partitions of topics.
    static func offsets(
        _ client: RequestClient, _ topics: [MetadataResponse.Topic], at timestamp: Int64
    ) throws(CLIError) -> [ListOffsets.Partition: Int64] {
        var wanted: [ListOffsets.Partition: (leader: Int32, timestamp: Int64)] = [:]
        for topic in topics {
            for partition in topic.partitions where partition.leaderId >= 0 {
                let key = ListOffsets.Partition(topic.name ?? "", partition.partitionIndex)
                wanted[key] = (partition.leaderId, timestamp)
            }
        }
        let found = try ask { () throws(RequestError) in try ListOffsets.ask(client, wanted) }
        return found
    }
}
