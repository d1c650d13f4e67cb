package import MillraceBase
package import MillraceRecords

/// Why files of the metadata log cannot be used.
package enum RaftError: Error, Hashable, Sendable {
    /// `quorum-state` is not what a node of this or an earlier version writes.
    case invalidQuorumState(String)
    /// A snapshot has no header or footer, or its batches do not follow each other.
    case invalidSnapshot(String)
    /// A batch that lies before the log's end is damaged.
    case corrupt(RecordsError)
    /// A record or control record cannot be read or written.
    case codec(CodecError)
    /// The log does not begin where the snapshot ends, or has a gap.
    case gap(expected: Offset, found: Offset)
}
