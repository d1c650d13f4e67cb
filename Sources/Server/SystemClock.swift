internal import Glibc
package import MillraceBase

/// The system's two clocks.
package enum SystemClock {
    /// The monotonic clock, which the event loops use.
    package static func instant() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Both at once.
    package static func now() -> Moment {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let milliseconds = Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        return Moment(instant: instant(), timestamp: Timestamp(milliseconds))
    }
}
