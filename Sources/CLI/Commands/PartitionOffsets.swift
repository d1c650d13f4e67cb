internal import MillraceBase
internal import MillraceClient
internal import MillraceClientCore
internal import MillraceProtocol

/// First and last offsets of partitions.
struct PartitionOffsets {
    struct Range {
        var start: Int64
        /// Exclusive.
        var end: Int64
    }

    private var ranges: [NamedPartition: Range] = [:]

    subscript(partition: NamedPartition) -> Range? { ranges[partition] }

    /// Asks the leaders; a partition without a leader has no entry.
    static func load(
        _ client: Admin, _ partitions: [NamedPartition]
    ) throws(CLIError) -> PartitionOffsets {
        let starts = try offsets(client, partitions, at: .earliest)
        let ends = try offsets(client, partitions, at: .latest)
        var found = PartitionOffsets()
        for (partition, start) in starts {
            guard let end = ends[partition] else { continue }
            found.ranges[partition] = Range(start: start, end: end)
        }
        return found
    }

    /// The offsets at one place of partitions, as far as their leaders tell; −1 for a time after
    /// the last record.
    static func offsets(
        _ client: Admin, _ partitions: [NamedPartition], at position: StartPosition
    ) throws(CLIError) -> [NamedPartition: Int64] {
        guard !partitions.isEmpty else { return [:] }
        let wanted = Dictionary(partitions.map { ($0, position) }) { first, _ in first }
        let found = try blocking { () async throws(ClientError) in
            try await client.listOffsets(wanted)
        }
        return found.compactMapValues { outcome in
            guard case .success(let offset) = outcome else { return nil }
            return offset.rawValue
        }
    }
}

extension Sequence<MetadataResponse.Topic> {
    /// The partitions of topics, by name.
    var namedPartitions: [NamedPartition] {
        flatMap { topic in
            topic.partitions.map { NamedPartition(topic.name ?? "", $0.partitionIndex) }
        }
    }
}
