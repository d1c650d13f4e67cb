/// A record of a coordinator's log; a nil value is a tombstone.
package struct CoordinatorRecord: Hashable, Sendable {
    package var key: [UInt8]
    package var value: [UInt8]?

    package init(key: [UInt8], value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// Names a change that was appended, for `committed` or `lost`.
package struct ChangeToken: RawRepresentable, Hashable, Comparable, Sendable {
    package var rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// Names a request that waits for its answer, for the runner.
package struct RequestToken: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Changes that were appended and are not committed yet, with what waits for them.
///
/// The one pattern for replicated state: a decision gives records, they are appended and at the
/// same moment replayed into the state, and whoever is to be told waits here until they are
/// committed. If leadership or the disk is lost, the state is dropped whole, so that nothing
/// replayed too early can be seen.
struct PendingChanges<Waiting> {
    private var next: UInt64 = 1
    private var waiting: [ChangeToken: [Waiting]] = [:]
    /// The last change that is committed.
    private var committed = ChangeToken(rawValue: 0)

    /// A change is appended.
    mutating func begin() -> ChangeToken {
        defer { next += 1 }
        return ChangeToken(rawValue: next)
    }

    /// What is appended last.
    var last: ChangeToken { ChangeToken(rawValue: next - 1) }

    func isCommitted(_ change: ChangeToken) -> Bool { change <= committed }

    /// `waiting` happens when the change is committed.
    mutating func wait(for change: ChangeToken, _ waiting: Waiting) {
        self.waiting[change, default: []].append(waiting)
    }

    /// The change is committed, and with it all before it.
    /// - Returns: what waited for it.
    mutating func commit(_ change: ChangeToken) -> [Waiting] {
        committed = max(committed, change)
        return waiting.removeValue(forKey: change) ?? []
    }

    /// All that waits, in order of the changes: the state is dropped.
    mutating func drain() -> [Waiting] {
        defer { waiting = [:] }
        return waiting.keys.sorted().flatMap { waiting[$0] ?? [] }
    }
}
