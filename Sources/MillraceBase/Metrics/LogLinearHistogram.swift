/// Counts of values in log-linear buckets: each power of two is cut into 64 equal parts, so that a
/// bucket's middle is within 1/128 (0.8 %) of every value in it. A value type: tools record into
/// it, and a node's `Histogram` gives it as a snapshot. Values are in any unit, mostly nanoseconds.
package struct LogLinearHistogram: Sendable, Equatable {
    /// Parts of each power of two; values below it have a bucket each.
    @usableFromInline static let parts = 64
    @usableFromInline static let partBits = 6
    /// Values from 2^41 on (37 minutes in nanoseconds) share the last bucket.
    @usableFromInline static let bitsMax = 41
    package static let bucketCount = (bitsMax - partBits + 1) * parts

    package private(set) var buckets: [UInt64]
    package private(set) var sum: UInt64 = 0
    package private(set) var max: UInt64 = 0

    package init() { buckets = Array(repeating: 0, count: Self.bucketCount) }

    init(buckets: [UInt64], sum: UInt64, max: UInt64) {
        precondition(buckets.count == Self.bucketCount, "a histogram has all its buckets")
        (self.buckets, self.sum, self.max) = (buckets, sum, max)
    }

    /// The bucket of a value, in 0 ..< `bucketCount`.
    @inlinable
    package static func index(of value: UInt64) -> Int {
        if value < UInt64(parts) { return Int(truncatingIfNeeded: value) }
        let top = 63 &- value.leadingZeroBitCount
        if top >= bitsMax { return bucketCount &- 1 }
        let shift = top &- partBits
        return (shift &+ 1) &* parts &+ (Int(truncatingIfNeeded: value &>> UInt64(shift)) &- parts)
    }

    /// The least value of a bucket; that of the next bucket is its exclusive end.
    package static func lowerBound(of index: Int) -> UInt64 {
        if index < parts { return UInt64(index) }
        let shift = index / parts - 1
        return UInt64(index % parts + parts) << UInt64(shift)
    }

    /// Counts one value.
    @inlinable
    package mutating func record(_ value: UInt64) { record(value, count: 1) }

    /// Counts `count` equal values.
    @usableFromInline
    package mutating func record(_ value: UInt64, count: UInt64) {
        buckets[Self.index(of: value)] &+= count
        sum &+= value &* count
        if value > max { max = value }
    }

    /// Adds what another histogram counted.
    package mutating func merge(_ other: Self) {
        for index in buckets.indices { buckets[index] &+= other.buckets[index] }
        sum &+= other.sum
        max = Swift.max(max, other.max)
    }

    /// How many values were counted.
    package var count: UInt64 { buckets.reduce(0, &+) }
    /// The mean of all values, 0 where there are none.
    package var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }

    /// The value below which the share `quantile` (0…1) of the values lies, within 1 %.
    package func value(atQuantile quantile: Double) -> UInt64 {
        let total = count
        guard total > 0 else { return 0 }
        let share = Swift.min(Swift.max(quantile, 0), 1)
        let rank = Swift.max(1, UInt64((Double(total) * share).rounded(.up)))
        var seen: UInt64 = 0
        for (index, count) in buckets.enumerated() where count > 0 {
            seen += count
            guard seen >= rank else { continue }
            let low = Self.lowerBound(of: index)
            let high = index + 1 < Self.bucketCount ? Self.lowerBound(of: index + 1) : low
            return Swift.min(low + (high > low ? (high - low) / 2 : 0), max)
        }
        return max
    }

    /// How many values lie below `limit`, to within one bucket.
    package func count(below limit: UInt64) -> UInt64 {
        buckets[..<Self.index(of: limit)].reduce(0, &+)
    }
}
