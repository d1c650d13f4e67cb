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
        let starts = try outcomes(client, partitions, at: .earliest).compactMapValues(\.offset)
        let ends = try outcomes(client, partitions, at: .latest).compactMapValues(\.offset)
        var found = PartitionOffsets()
        for (partition, start) in starts {
            guard let end = ends[partition] else { continue }
            found.ranges[partition] = Range(start: start, end: end)
        }
        return found
    }

    /// The offsets at one place of partitions; −1 for a time after the last record.
    /// - Throws: what the first partition's leader says that does not tell.
    static func offsets(
        _ client: Admin, _ partitions: [NamedPartition], at position: StartPosition
    ) throws(CLIError) -> [NamedPartition: Int64] {
        let found = try outcomes(client, partitions, at: position)
        for (partition, outcome) in found.sorted(by: { $0.key < $1.key }) {
            guard case .failure(let error) = outcome else { continue }
            throw CLIError(error, about: "partition \(partition)")
        }
        return found.compactMapValues(\.offset)
    }

    private static func outcomes(
        _ client: Admin, _ partitions: [NamedPartition], at position: StartPosition
    ) throws(CLIError) -> [NamedPartition: Result<Offset, ClientError>] {
        guard !partitions.isEmpty else { return [:] }
        let wanted = Dictionary(partitions.map { ($0, position) }) { first, _ in first }
        return try blocking { () async throws(ClientError) in
            try await client.listOffsets(wanted)
        }
    }
}

extension Result<Offset, ClientError> {
    fileprivate var offset: Int64? {
        if case .success(let offset) = self { offset.rawValue } else { nil }
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
