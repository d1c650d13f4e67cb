internal import Synchronization

/// The bytes of `queued.max.request.bytes`, shared by all loops and whoever keeps requests. Any
/// thread.
///
/// When it is exhausted, connections read in small pieces and half received frames grow no more;
/// one that waits for ten seconds is closed, so that frames that are all half received do not wait
/// for each other for ever. When what is kept of received requests (what waits for a slow disk, or
/// for another thread) fills it, no connection hands over more until some of that is done.
package final class MemoryBudget: Sendable {
    package let limit: Int
    private let taken = Atomic<Int>(0)
    /// Of these, what is kept of requests that were received whole.
    private let kept = Atomic<Int>(0)

    /// - Parameter limit: bytes.
    package init(limit: Int) { self.limit = limit }

    /// What is taken now, in bytes; it may be a little more than the limit, by what had arrived.
    package var used: Int { taken.load(ordering: .relaxed) }

    package var isExhausted: Bool { used >= limit }

    /// Whether what is kept of received requests fills it.
    var isFull: Bool { kept.load(ordering: .relaxed) >= limit }

    /// Whether it is exhausted by requests that are being worked on, more than by half received
    /// ones: waiting will help.
    var willEase: Bool { kept.load(ordering: .relaxed) >= limit / 2 }

    /// Takes bytes for a copy of what was received, which outlives its connection's buffer.
    package func keep(_ bytes: Int) {
        guard bytes > 0 else { return }
        taken.wrappingAdd(bytes, ordering: .relaxed)
        kept.wrappingAdd(bytes, ordering: .relaxed)
    }

    /// Gives back what was kept.
    package func drop(_ bytes: Int) {
        guard bytes > 0 else { return }
        taken.wrappingSubtract(bytes, ordering: .relaxed)
        kept.wrappingSubtract(bytes, ordering: .relaxed)
    }

    /// Gives bytes back.
    func release(_ bytes: Int) { taken.wrappingSubtract(bytes, ordering: .relaxed) }

    /// Whether bytes beyond what has arrived may be taken.
    func mayReserve(_ bytes: Int) -> Bool { used + bytes <= limit }

    /// Takes bytes for what has arrived already.
    func forceReserve(_ bytes: Int) { taken.wrappingAdd(bytes, ordering: .relaxed) }
}
