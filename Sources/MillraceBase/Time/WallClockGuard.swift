/// Tells what time it is for retention (of records, of committed offsets), by a wall clock that
/// may jump.
///
/// The wall clock is believed as long as it moves with the monotonic clock. When it jumps, forward
/// or back, time goes on at the monotonic clock's pace from where it was, so that a jump by a week
/// deletes nothing a week early; the new time is believed once it has stood for `persistence`
/// (a day) of monotonic time, since a machine whose clock was set right also jumps. A jump back
/// is held alike but never makes anything older than the wall clock says.
package struct WallClockGuard: Sendable {
    /// Steps below it are believed at once: time servers correct by less.
    package static let toleranceMs: Int64 = 60_000
    package static let persistence = Duration.seconds(86_400)

    private var anchor: Moment
    /// When the wall clock jumped, and how far it is from where it was.
    private var jump: (at: Instant, drift: Int64)?

    package init(now: Moment) { anchor = now }

    /// The time to count ages by.
    package mutating func trusted(_ now: Moment) -> Timestamp {
        let elapsed = max(0, now.instant.milliseconds(since: anchor.instant))
        let expected = anchor.timestamp.rawValue &+ elapsed
        let drift = now.timestamp.rawValue &- expected
        // Another jump begins to stand anew.
        if let former = jump, !Self.isNear(drift, former.drift) { jump = nil }
        let hasPersisted = jump.map { now.instant - $0.at >= Self.persistence } ?? false
        if Self.isNear(drift, 0) || hasPersisted {
            (anchor, jump) = (now, nil)
            return now.timestamp
        }
        if jump == nil { jump = (now.instant, drift) }
        return Timestamp(min(expected, now.timestamp.rawValue))
    }

    private static func isNear(_ a: Int64, _ b: Int64) -> Bool {
        (a &- b).magnitude < UInt64(toleranceMs)
    }
}
