internal import Synchronization

/// The bytes of `queued.max.request.bytes`, shared by all loops and whoever keeps requests. Any
/// thread.
///
/// When it is exhausted, connections read in small pieces and half received frames grow no more;
/// one that waits for ten seconds is closed, so that frames that are all half received do not wait
/// for each other for ever.
package final class MemoryBudget: Sendable {
    package let limit: Int
    private let taken = Atomic<Int>(0)

    /// - Parameter limit: bytes.
    package init(limit: Int) { self.limit = limit }

    /// What is taken now, in bytes; it may be a little more than the limit, by what had arrived.
    package var used: Int { taken.load(ordering: .relaxed) }

    package var isExhausted: Bool { used >= limit }

    /// Takes bytes if they are there.
    package func reserve(_ bytes: Int) -> Bool {
        let after = taken.wrappingAdd(bytes, ordering: .relaxed).newValue
        guard after > limit else { return true }
        taken.wrappingSubtract(bytes, ordering: .relaxed)
        return false
    }

    /// Gives bytes back.
    package func release(_ bytes: Int) { taken.wrappingSubtract(bytes, ordering: .relaxed) }

    /// Whether bytes beyond what has arrived may be taken.
    func mayReserve(_ bytes: Int) -> Bool { used + bytes <= limit }

    /// Takes bytes for what has arrived already.
    func forceReserve(_ bytes: Int) { taken.wrappingAdd(bytes, ordering: .relaxed) }
}
