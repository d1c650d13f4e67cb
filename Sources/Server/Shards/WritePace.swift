internal import CMillrace
package import MillraceBase

/// Decides where a shard's appends are written: on its loop while the disk takes them at once, on
/// a disk thread while it makes the writer wait (throttled writers, a full journal), so that a slow
/// disk never stops the loop.
///
/// Waking a disk thread for each append costs more than the whole request, so that a write must
/// have been slow for the disk's reason. On a busy machine most slow writes are not: the thread was
/// not running. After a slow write those that follow are watched for a while, and only one in which
/// the thread itself went to sleep counts.
package struct WritePace {
    /// A write on the loop, as it was measured.
    package struct Start {
        fileprivate var time: Instant
        /// How often the thread had gone to sleep by itself; nil where that is not asked.
        fileprivate var sleeps: Int?
    }

    /// A write that took so long was slow.
    package static let slow = Duration.milliseconds(5)
    /// For so long writes are watched, or go elsewhere.
    package static let period = Duration.seconds(1)

    private var watchedUntil = Instant.zero
    private var slowUntil = Instant.zero

    package init() {}

    /// Whether writes go to a disk thread.
    package func isSlow(at now: Instant) -> Bool { now < slowUntil }

    /// A write on the loop begins.
    /// - Parameter sleeps: how often this thread has gone to sleep by itself; asked only if needed.
    package func begin(at now: Instant, sleeps: () -> Int) -> Start {
        Start(time: now, sleeps: now < watchedUntil ? sleeps() : nil)
    }

    /// It has ended.
    /// - Returns: how long it took.
    package mutating func end(_ start: Start, at now: Instant, sleeps: () -> Int) -> Duration {
        let time = now - start.time
        guard time > Self.slow else { return time }
        watchedUntil = now + Self.period
        if let before = start.sleeps, sleeps() > before {
            slowUntil = now + Self.period
            // Back on the loop, the first slow write tells already.
            watchedUntil = slowUntil + Self.period
        }
        return time
    }

    /// A disk thread's write was slow too: writes come back to the loop when that has ended.
    package mutating func slowElsewhere(at now: Instant) {
        slowUntil = max(slowUntil, now + Self.period)
        watchedUntil = slowUntil + Self.period
    }

    /// How often the calling thread has gone to sleep by itself, since its start.
    package static func threadSleeps() -> Int { Int(millrace_thread_sleeps()) }
}
