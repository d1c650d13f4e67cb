/// The open descriptors of a shard's logs: at most `capacity`; the one used longest ago is closed
/// for a new one. Who sends a slice holds its file by itself. Owned by one thread.
package final class OpenFileCache {
    /// - Parameter capacity: how many files may be open; more is asked of the system only for the
    ///   time of a call.
    package init(capacity: Int) {}
}
