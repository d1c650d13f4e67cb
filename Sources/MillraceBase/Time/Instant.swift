/// A point of the monotonic clock, in nanoseconds from an arbitrary start. Never wall-clock time:
/// that is `Timestamp`. Machines are told it; they never read a clock.
@usableFromInline
package struct Instant: Hashable, Comparable, Sendable {
    @usableFromInline package var nanoseconds: Int64
    @inlinable package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    @inlinable package static var zero: Instant { Instant(nanoseconds: 0) }
    @inlinable package static var distantFuture: Instant { Instant(nanoseconds: .max) }

    @inlinable package static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }
    /// Saturates, since time-outs come from outside.
    @inlinable
    package static func + (a: Self, b: Duration) -> Self {
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(b.nanosecondsClamped)
        return Instant(nanoseconds: overflow ? (b < .zero ? .min : .max) : sum)
    }
    @inlinable
    package static func - (a: Self, b: Self) -> Duration {
        .nanoseconds(a.nanoseconds &- b.nanoseconds)
    }
    /// Nanoseconds from `earlier` to here: what a hot path counts in, since a `Duration` has 128
    /// bits and takes divisions to read.
    @inlinable
    package func nanoseconds(since earlier: Instant) -> Int64 {
        nanoseconds &- earlier.nanoseconds
    }
    /// Whole milliseconds from `earlier` to here.
    @inlinable
    package func milliseconds(since earlier: Instant) -> Int64 {
        (nanoseconds &- earlier.nanoseconds) / 1_000_000
    }
}

/// Milliseconds of wall-clock time since 1970, as records and requests carry it. −1 is "none".
@usableFromInline
package struct Timestamp: RawRepresentable, Hashable, Comparable, Sendable {
    @usableFromInline package var rawValue: Int64
    @inlinable package init(rawValue: Int64) { self.rawValue = rawValue }
    @inlinable package init(_ milliseconds: Int64) { rawValue = milliseconds }
    @inlinable package static func == (a: Self, b: Self) -> Bool { a.rawValue == b.rawValue }
    @inlinable package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    @inlinable package static var none: Timestamp { Timestamp(-1) }
}

/// What the runner's clocks say at one moment: both are read once a turn and passed in.
@usableFromInline
package struct Moment: Hashable, Sendable {
    @usableFromInline package var instant: Instant
    @usableFromInline package var timestamp: Timestamp
    @inlinable
    package init(instant: Instant, timestamp: Timestamp) {
        self.instant = instant
        self.timestamp = timestamp
    }
}

extension Duration {
    /// The duration in nanoseconds, clamped to Int64.
    @usableFromInline
    package var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow2) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || overflow2 ? (seconds < 0 ? .min : .max) : sum
    }
}
