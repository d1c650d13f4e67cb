package import MillraceBase

/// Why records of the metadata log cannot be replayed: the log is damaged, or newer than this node.
package enum MetadataError: Error, Hashable, Sendable {
    /// A record's bytes cannot be read.
    case undecodable(CodecError)
    /// A record speaks of something that is not there.
    case inconsistent(String)
    /// A record cannot be written.
    case unwritable(CodecError)
}
