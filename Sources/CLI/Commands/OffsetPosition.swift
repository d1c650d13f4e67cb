internal import MillraceBase
internal import MillraceClient
internal import MillraceClientCore

/// A place in a partition as a command line names it.
enum OffsetPosition: Equatable {
    case earliest, latest
    /// Where the group stands.
    case current
    case offset(Int64)
    /// So many before the end.
    case beforeEnd(Int64)
    /// From where the group stands.
    case shift(Int64)
    /// The first record at or after so many milliseconds since 1970.
    case time(Int64)

    /// Reads `earliest`, `latest`, `123`, `-10` or `@TIME`.
    init(_ text: String) throws(CLIError) {
        switch text {
        case "earliest", "beginning": self = .earliest
        case "latest", "end": self = .latest
        case "current", "stored": self = .current
        default:
            if text.hasPrefix("@") {
                self = .time(try Self.time(String(text.dropFirst())))
            } else if text.hasPrefix("-"), let count = Int64(text.dropFirst()) {
                self = .beforeEnd(count)
            } else if text.hasPrefix("+"), let count = Int64(text.dropFirst()) {
                self = .shift(count)
            } else if let offset = Int64(text), offset >= 0 {
                self = .offset(offset)
            } else {
                throw .usage(
                    "\"\(text)\" is no position: earliest, latest, an offset, -N, or @TIME"
                        + NearestName.hint(text, in: ["earliest", "latest"]))
            }
        }
    }

    /// Milliseconds since 1970 from a number of them or a time in RFC 3339's form.
    private static func time(_ text: String) throws(CLIError) -> Int64 {
        if let number = Int64(text), number >= 0 { return number }
        if let time = CivilTime.milliseconds(text) { return time }
        throw .usage(
            "\"\(text)\" is no time: milliseconds since 1970, 2026-01-31, 2026-01-31T12:00:00Z or "
                + "2026-01-31T12:00:00.5+01:00")
    }

    /// The offsets that this means for partitions.
    /// - Parameter committed: where the group stands; empty without a group.
    func resolve(
        _ client: Admin, _ partitions: [NamedPartition], committed: [NamedPartition: Int64] = [:]
    ) throws(CLIError) -> [NamedPartition: Int64] {
        let starts = try PartitionOffsets.offsets(client, partitions, at: .earliest)
        let ends = try PartitionOffsets.offsets(client, partitions, at: .latest)
        var times: [NamedPartition: Int64] = [:]
        if case .time(let time) = self {
            times = try PartitionOffsets.offsets(client, partitions, at: .time(Timestamp(time)))
        }
        var found: [NamedPartition: Int64] = [:]
        for (partition, end) in ends {
            let start = starts[partition] ?? 0
            let place: Int64 =
                switch self {
                case .earliest: start
                case .latest: end
                case .current: committed[partition] ?? start
                case .offset(let offset): offset
                case .beforeEnd(let count): end.subtractingReportingOverflow(count).partialValue
                case .shift(let count): (committed[partition] ?? start) &+ count
                case .time: times[partition].flatMap { $0 < 0 ? nil : $0 } ?? end
                }
            found[partition] = min(max(place, start), end)
        }
        return found
    }
}
