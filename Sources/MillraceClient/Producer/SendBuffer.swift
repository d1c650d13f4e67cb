internal import MillraceBase
internal import MillraceClientCore
internal import Synchronization

/// The bound of a producer's memory, and who waits for what: senders for room, callers for the
/// outcome of their records. Any thread.
final class SendBuffer: Sendable {
    /// A call that waits for its records.
    fileprivate struct Waiter {
        var results: [Result<RecordPosition, ClientError>?]
        var left: Int
        var continuation: CheckedContinuation<[Result<RecordPosition, ClientError>], Never>
    }

    fileprivate struct State {
        var bytes = 0
        var isClosed = false
        /// They are told whether they have room.
        var senders = Deque<(bytes: Int, continuation: CheckedContinuation<Bool, Never>)>()
        /// How many have room and have not handed their records over.
        var entering = 0
        /// Who closes, until there are none.
        var closing: [CheckedContinuation<Void, Never>] = []
        var waiters: [UInt64: Waiter] = [:]
        var nextCall: UInt64 = 1
        var summary = FlushSummary()
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// Waits until `bytes` have room; `entered` follows, once they are handed over. What is larger
    /// than the whole buffer is let through when it is empty; the core refuses it.
    /// - Throws: `.closed`.
    func admit(_ bytes: Int) async throws(ClientError) {
        let hasRoom = await withCheckedContinuation { continuation in
            let decided = state.withLock { state -> Bool? in
                if state.isClosed { return false }
                if state.admit(bytes, limit) { return true }
                state.senders.append((bytes, continuation))
                return nil
            }
            if let decided { continuation.resume(returning: decided) }
        }
        guard hasRoom else { throw .closed }
    }

    /// What was admitted is on its way to the producer's thread.
    func entered() {
        let closing = state.withLock { state in
            state.entering -= 1
            guard state.entering == 0, !state.closing.isEmpty else {
                return [] as [CheckedContinuation<Void, Never>]
            }
            defer { state.closing = [] }
            return state.closing
        }
        for continuation in closing { continuation.resume() }
    }

    /// Tickets of a call whose records' outcomes `continuation` gets, in order. A ticket has the
    /// call in its upper bits and the record's place in the lower 24.
    func tickets(
        for count: Int,
        _ continuation: CheckedContinuation<[Result<RecordPosition, ClientError>], Never>
    ) -> [UInt64] {
        let call = state.withLock { state in
            let call = state.nextCall
            state.nextCall += 1
            state.waiters[call] = Waiter(
                results: Array(repeating: nil, count: count), left: count,
                continuation: continuation)
            return call
        }
        return (0..<UInt64(count)).map { call << 24 | $0 }
    }

    /// Records have arrived or are lost: room is free, callers are told.
    func deliver(_ delivery: Delivery) {
        let (done, woken) = state.withLock { $0.take(delivery, limit) }
        for waiter in done {
            waiter.continuation.resume(returning: waiter.results.compactMap(\.self))
        }
        for continuation in woken { continuation.resume(returning: true) }
    }

    /// Lets nothing in any more; returns when what was let in is handed over.
    func close() async {
        await withCheckedContinuation { continuation in
            let (refused, isQuiet) = state.withLock { state in
                state.isClosed = true
                let refused = state.senders
                state.senders = Deque()
                if state.entering > 0 { state.closing.append(continuation) }
                return (refused, state.entering == 0)
            }
            for sender in refused { sender.continuation.resume(returning: false) }
            if isQuiet { continuation.resume() }
        }
    }

    /// What was delivered since the last call.
    func takeSummary() -> FlushSummary {
        state.withLock { state in
            defer { state.summary = FlushSummary() }
            return state.summary
        }
    }
}

extension SendBuffer.State {
    fileprivate mutating func admit(_ size: Int, _ limit: Int) -> Bool {
        guard bytes == 0 || bytes + size <= limit else { return false }
        bytes += size
        entering += 1
        return true
    }

    fileprivate mutating func take(
        _ delivery: Delivery, _ limit: Int
    ) -> ([SendBuffer.Waiter], [CheckedContinuation<Bool, Never>]) {
        var done: [SendBuffer.Waiter] = []
        bytes -= delivery.byteCount
        switch delivery.result {
        case .success: summary.delivered += delivery.tickets.count
        case .failure(let error):
            summary.failed += delivery.tickets.count
            if summary.firstError == nil { summary.firstError = error }
        }
        // 0: nobody waits for it.
        for (index, ticket) in delivery.tickets.enumerated() where ticket != 0 {
            guard var waiter = waiters.removeValue(forKey: ticket >> 24) else { continue }
            let result = delivery.result.map { base in
                RecordPosition(
                    partition: delivery.partition,
                    offset: base == .none ? .none : base + Int64(index))
            }
            waiter.results[Int(ticket & 0xFF_FFFF)] = result
            waiter.left -= 1
            if waiter.left == 0 { done.append(waiter) } else { waiters[ticket >> 24] = waiter }
        }
        var woken: [CheckedContinuation<Bool, Never>] = []
        while let next = senders.first, admit(next.bytes, limit) {
            _ = senders.popFirst()
            woken.append(next.continuation)
        }
        return (done, woken)
    }
}
