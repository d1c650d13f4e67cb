internal import MillraceBase
internal import MillraceClientCore
internal import Synchronization

/// What has been fetched and not polled, between a consumer's loop and the task that polls.
final class Inbox: Sendable {
    fileprivate struct State {
        var fetched = Deque<FetchedRecords>()
        /// Of one fetch, what the last poll left.
        var rest: ArraySlice<ConsumerRecord> = []
        var restNext = Offset.zero
        /// What the user has had of each partition: the offset to go on from.
        var positions: [NamedPartition: Offset] = [:]
        /// The same as of the last poll's begin: who polls again has processed what came before.
        var processed: [NamedPartition: Offset] = [:]
        var isMember = false
        var assigned: Set<NamedPartition> = []
        var ended: Set<NamedPartition> = []
        var error: ClientError?
        /// Why the last request of records had no answer, and since when none had one.
        var trouble: (error: ClientError, since: ContinuousClock.Instant)?
        /// The partition of the fetch that is being decoded; nil once that is void.
        var decoding: NamedPartition?
        var waiter: (id: UInt64, continuation: CheckedContinuation<Void, Never>)?
        var lastWaiter: UInt64 = 0
    }

    /// What a poll finds.
    enum Found: Sendable {
        case records([ConsumerRecord])
        case fetched(FetchedRecords)
        case nothing
    }

    private let state = Mutex(State())

    // MARK: the polling task

    /// Takes at most `limit` records that are decoded already, or a fetch that is to be.
    func take(_ limit: Int) throws(ClientError) -> Found {
        let result = state.withLock { state -> Result<Found, ClientError> in
            if !state.rest.isEmpty { return .success(.records(state.takeRest(limit))) }
            if let next = state.fetched.popFirst() {
                state.decoding = next.partition
                return .success(.fetched(next))
            }
            if let error = state.error {
                state.error = nil
                return .failure(error)
            }
            return .success(.nothing)
        }
        return try result.get()
    }

    /// Puts a decoded fetch where `take` finds its records, unless its partition has gone since.
    func put(_ records: [ConsumerRecord], of fetched: FetchedRecords) {
        state.withLock { state in
            guard state.decoding == fetched.partition else { return }
            state.decoding = nil
            state.rest = records[...]
            state.restNext = fetched.next
            if records.isEmpty { state.positions[fetched.partition] = fetched.next }
        }
    }

    /// Waits until there may be something; `register` gets the id by which the wait can be ended.
    func wait(_ register: (UInt64) -> Void) async {
        await withCheckedContinuation { continuation in
            let (id, replaced) = state.withLock {
                state -> (UInt64?, CheckedContinuation<Void, Never>?) in
                let replaced = state.waiter?.continuation
                state.waiter = nil
                guard state.fetched.isEmpty, state.error == nil else { return (nil, replaced) }
                state.lastWaiter += 1
                state.waiter = (state.lastWaiter, continuation)
                return (state.lastWaiter, replaced)
            }
            replaced?.resume()
            if let id { register(id) } else { continuation.resume() }
        }
    }

    /// Ends a wait, if it still waits; nil: whichever there is.
    func wake(_ id: UInt64?) {
        let waiter = state.withLock { state in
            guard let waiter = state.waiter, id == nil || waiter.id == id else {
                return nil as CheckedContinuation<Void, Never>?
            }
            state.waiter = nil
            return waiter.continuation
        }
        waiter?.resume()
    }

    /// Where the user stands in each partition that it has had records of.
    var positions: [NamedPartition: Offset] { state.withLock { $0.positions } }

    /// What the user is done with: what earlier polls gave, once there is another.
    var processed: [NamedPartition: Offset] { state.withLock { $0.processed } }

    /// These offsets are committed: the user is done with what is before them.
    func committed(_ offsets: [NamedPartition: Offset]) {
        state.withLock { state in
            for (partition, offset) in offsets where state.positions[partition] != nil {
                state.processed[partition] = max(state.processed[partition] ?? offset, offset)
            }
        }
    }

    /// A poll begins.
    func beginPoll() { state.withLock { $0.processed = $0.positions } }

    /// Whether the group has said which partitions it gives, if only that it gives none.
    var isMember: Bool { state.withLock { $0.isMember } }

    /// The partitions that are read.
    var assigned: Set<NamedPartition> { state.withLock { $0.assigned } }

    /// Whether all that there was when last asked has been polled.
    var isAtEnd: Bool {
        state.withLock {
            $0.rest.isEmpty && $0.fetched.isEmpty && !$0.assigned.isEmpty
                && $0.ended.isSuperset(of: $0.assigned)
        }
    }

    // MARK: the loop

    func add(_ fetched: FetchedRecords) {
        state.withLock {
            $0.ended.remove(fetched.partition)
            $0.fetched.append(fetched)
        }
        wake(nil)
    }

    func setMember(_ isMember: Bool) {
        state.withLock { $0.isMember = isMember }
        wake(nil)
    }

    func reachedEnd(_ partition: NamedPartition) {
        _ = state.withLock { $0.ended.insert(partition) }
        wake(nil)
    }

    /// How a request to a leader fared.
    func note(_ error: ClientError?) {
        state.withLock { state in
            state.trouble = error.map { ($0, state.trouble?.since ?? .now) }
        }
    }

    /// Why no broker has answered since `since`; nil if one has.
    var trouble: (error: ClientError, since: ContinuousClock.Instant)? {
        state.withLock { $0.trouble }
    }

    func fail(_ error: ClientError) {
        state.withLock { state in if state.error == nil { state.error = error } }
        wake(nil)
    }

    /// Keeps what belongs to `partitions`.
    /// - Returns: bytes that were dropped.
    func assign(_ partitions: Set<NamedPartition>) -> Int {
        state.withLock { state in
            state.assigned = partitions
            return state.drop { !partitions.contains($0) }
        }
    }

    /// Drops what was fetched of a partition.
    func forget(_ partition: NamedPartition) -> Int {
        state.withLock { state in state.drop { $0 == partition } }
    }
}

extension Inbox.State {
    fileprivate mutating func takeRest(_ limit: Int) -> [ConsumerRecord] {
        let taken = rest.prefix(limit)
        rest = rest.dropFirst(limit)
        if let last = taken.last {
            positions[last.partition] = rest.isEmpty ? restNext : last.offset + 1
        }
        return Array(taken)
    }

    fileprivate mutating func drop(_ isDropped: (NamedPartition) -> Bool) -> Int {
        var dropped = 0
        var kept = Deque<FetchedRecords>()
        while let next = fetched.popFirst() {
            if isDropped(next.partition) { dropped += next.bytes.count } else { kept.append(next) }
        }
        fetched = kept
        if let partition = rest.first?.partition, isDropped(partition) { rest = [] }
        positions = positions.filter { !isDropped($0.key) }
        processed = processed.filter { !isDropped($0.key) }
        ended = ended.filter { !isDropped($0) }
        if let decoding, isDropped(decoding) { self.decoding = nil }
        return dropped
    }
}
