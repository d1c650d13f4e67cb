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
        var senders = Deque<(bytes: Int, continuation: CheckedContinuation<Void, Never>)>()
        var waiters: [UInt64: Waiter] = [:]
        var nextCall: UInt64 = 1
        var summary = FlushSummary()
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// Waits until `bytes` have room. What is larger than the whole buffer is let through when it
    /// is empty; the core refuses it.
    /// - Throws: `.closed`.
    func admit(_ bytes: Int) async throws(ClientError) {
        if state.withLock({ $0.isClosed }) { throw .closed }
        if state.withLock({ $0.admit(bytes, limit) }) { return }
        await withCheckedContinuation { continuation in
            let admitted = state.withLock { state in
                if state.admit(bytes, limit) { return true }
                state.senders.append((bytes, continuation))
                return false
            }
            if admitted { continuation.resume() }
        }
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
        for continuation in woken { continuation.resume() }
    }

    /// Lets nothing in any more.
    func close() { state.withLock { $0.isClosed = true } }

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
        return true
    }

    fileprivate mutating func take(
        _ delivery: Delivery, _ limit: Int
    ) -> ([SendBuffer.Waiter], [CheckedContinuation<Void, Never>]) {
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
        var woken: [CheckedContinuation<Void, Never>] = []
        while let next = senders.first, admit(next.bytes, limit) {
            _ = senders.popFirst()
            woken.append(next.continuation)
        }
        return (done, woken)
    }
}
