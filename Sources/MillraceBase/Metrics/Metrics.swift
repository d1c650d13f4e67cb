package import Synchronization

/// A value that only grows. Any thread may add; a hot loop takes a `cell`.
package final class Counter: Sendable {
    @usableFromInline let shared = Atomic<Int64>(0)
    private let cells = Mutex<[CounterCell]>([])
    init() {}

    /// Adds with one atomic instruction (about 5 ns).
    @inlinable
    package func add(_ amount: Int = 1) {
        shared.wrappingAdd(Int64(truncatingIfNeeded: amount), ordering: .relaxed)
    }

    /// A part of this counter that one thread alone adds to (about 1 ns). It lives as long as the
    /// counter: take one a thread at start, never one a request.
    package func cell() -> CounterCell {
        let cell = CounterCell()
        cells.withLock { $0.append(cell) }
        return cell
    }

    /// The sum of all parts.
    package var value: Int64 {
        cells.withLock { cells in
            cells.reduce(shared.load(ordering: .relaxed)) {
                $0 &+ $1.value.load(ordering: .relaxed)
            }
        }
    }
}

/// One thread's part of a counter.
package final class CounterCell: Sendable {
    @usableFromInline let value = Atomic<Int64>(0)
    init() {}

    /// Adds without a locked instruction: right only while one thread writes.
    @inlinable
    package func add(_ amount: Int = 1) {
        let sum = value.load(ordering: .relaxed) &+ Int64(truncatingIfNeeded: amount)
        value.store(sum, ordering: .relaxed)
    }
}

/// A value that goes up and down.
package final class Gauge: Sendable {
    @usableFromInline let stored = Atomic<Int64>(0)
    init() {}

    @inlinable package func set(_ value: Int) { stored.store(Int64(value), ordering: .relaxed) }
    @inlinable
    package func add(_ amount: Int) {
        stored.wrappingAdd(Int64(truncatingIfNeeded: amount), ordering: .relaxed)
    }
    package var value: Int64 { stored.load(ordering: .relaxed) }
}

/// A distribution of values, in buckets that are within 1 % of each value. As with counters, a hot
/// loop takes a `cell`; 9 KiB each.
package final class Histogram: Sendable {
    private let shared = HistogramCell()
    private let cells = Mutex<[HistogramCell]>([])
    init() {}

    /// Counts a value, of any thread.
    package func record(_ value: UInt64) { shared.recordShared(value) }

    /// A part of this histogram that one thread alone records into. It lives as long as the
    /// histogram.
    package func cell() -> HistogramCell {
        let cell = HistogramCell()
        cells.withLock { $0.append(cell) }
        return cell
    }

    /// All that was recorded until now.
    package func snapshot() -> LogLinearHistogram {
        var total = shared.snapshot()
        for cell in cells.withLock({ $0 }) { total.merge(cell.snapshot()) }
        return total
    }
}

/// One thread's part of a histogram.
package final class HistogramCell: Sendable {
    @usableFromInline
    typealias Buckets = InlineArray<2304, Atomic<UInt32>>

    @usableFromInline let buckets: Buckets
    @usableFromInline let sum = Atomic<UInt64>(0)
    @usableFromInline let max = Atomic<UInt64>(0)

    init() {
        precondition(LogLinearHistogram.bucketCount == 2304, "buckets cover the whole range")
        buckets = Buckets { _ in Atomic(0) }
    }

    /// Counts a value without a locked instruction: right only while one thread writes.
    @inlinable
    package func record(_ value: UInt64) {
        let index = LogLinearHistogram.index(of: value)
        let count = buckets[index].load(ordering: .relaxed) &+ 1
        buckets[index].store(count, ordering: .relaxed)
        sum.store(sum.load(ordering: .relaxed) &+ value, ordering: .relaxed)
        if value > max.load(ordering: .relaxed) { max.store(value, ordering: .relaxed) }
    }

    func recordShared(_ value: UInt64) {
        buckets[LogLinearHistogram.index(of: value)].wrappingAdd(1, ordering: .relaxed)
        sum.wrappingAdd(value, ordering: .relaxed)
        max.max(value, ordering: .relaxed)
    }

    func snapshot() -> LogLinearHistogram {
        let counts = (0..<LogLinearHistogram.bucketCount).map {
            UInt64(buckets[$0].load(ordering: .relaxed))
        }
        return LogLinearHistogram(
            buckets: counts, sum: sum.load(ordering: .relaxed), max: max.load(ordering: .relaxed))
    }
}
