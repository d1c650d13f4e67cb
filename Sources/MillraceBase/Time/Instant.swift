/// A point of the monotonic clock, in nanoseconds from an arbitrary start. Never wall-clock time:
/// that is `Timestamp`. Machines are told it; they never read a clock.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    package static let zero = Instant(nanoseconds: 0)
    package static let distantFuture = Instant(nanoseconds: .max)

    package static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }
    /// Saturates, since time-outs come from outside.
    package static func + (a: Self, b: Duration) -> Self {
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(b.nanosecondsClamped)
        return Instant(nanoseconds: overflow ? (b < .zero ? .min : .max) : sum)
    }
    package static func - (a: Self, b: Self) -> Duration {
        .nanoseconds(a.nanoseconds &- b.nanoseconds)
    }
    /// Whole milliseconds from `earlier` to here.
    package func milliseconds(since earlier: Instant) -> Int64 {
        (nanoseconds &- earlier.nanoseconds) / 1_000_000
    }
}

/// Milliseconds of wall-clock time since 1970, as records and requests carry it. −1 is "none".
package struct Timestamp: RawRepresentable, Hashable, Comparable, Sendable {
    package var rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
    package init(_ milliseconds: Int64) { rawValue = milliseconds }
    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    package static let none = Timestamp(-1)
}

/// What the runner's clocks say at one moment: both are read once a turn and passed in.
package struct Moment: Hashable, Sendable {
    package var instant: Instant
    package var timestamp: Timestamp
    package init(instant: Instant, timestamp: Timestamp) {
        self.instant = instant
        self.timestamp = timestamp
    }
}

extension Duration {
    /// The duration in nanoseconds, clamped to Int64.
    package var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow2) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || overflow2 ? (seconds < 0 ? .min : .max) : sum
    }
}
