internal import Glibc
package import MillraceBase

/// The system's two clocks.
package enum SystemClock {
    /// Both at once.
    package static func now() -> Moment {
        var (monotonic, wall) = (timespec(), timespec())
        clock_gettime(CLOCK_MONOTONIC, &monotonic)
        clock_gettime(CLOCK_REALTIME, &wall)
        return Moment(
            instant: Instant(
                nanoseconds: Int64(monotonic.tv_sec) * 1_000_000_000 + Int64(monotonic.tv_nsec)),
            timestamp: Timestamp(
                Int64(wall.tv_sec) * 1000 + Int64(wall.tv_nsec) / 1_000_000))
    }
}
