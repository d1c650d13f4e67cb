package import MillraceBase
package import MillraceClientCore
internal import MillraceNet
internal import MillraceRecords
internal import Synchronization

/// Reads records: of partitions that it is assigned, or as a member of a group, of those that the
/// group gives it. One task polls at a time; the other calls may come from any.
///
/// Fetching goes on between polls, up to `bufferBytes`. Nothing is committed but by `commit`, and
/// with `GroupSettings.commitsOnRevoke` before a rebalance: what earlier polls gave, once there was
/// another.
package final class Consumer: Sendable {
    private let thread: ClientThread<ConsumerDriver>
    private let inbox: Inbox
    private let isClosed = Atomic<Bool>(false)

    private init(thread: ClientThread<ConsumerDriver>, inbox: Inbox) {
        self.thread = thread
        self.inbox = inbox
    }

    /// Starts a consumer.
    /// - Parameter group: for `subscribe` and `commit`.
    /// - Throws: `.settings`.
    package static func open(
        _ client: ClientSettings, _ settings: ConsumerSettings = ConsumerSettings(),
        group: GroupSettings? = nil
    ) async throws(ClientError) -> Consumer {
        let inbox = Inbox()
        let seed = UInt64.random(in: 0 ... .max)
        let thread = try await ClientThread<ConsumerDriver>.start(name: "consumer") {
            loop throws(ClientError) in
            ConsumerDriver(
                try Router(loop, client), settings, group: group, inbox: inbox, seed: seed)
        }
        return Consumer(thread: thread, inbox: inbox)
    }

    /// Reads these partitions and no others from now on.
    package func assign(_ starts: [NamedPartition: StartPosition]) async throws(ClientError) {
        try await run { driver, done in
            driver.assign(starts)
            done(nil)
        }
    }

    /// Joins the group for these topics; partitions come as the group gives them.
    package func subscribe(_ topics: [String]) async throws(ClientError) {
        try await run { driver, done in
            driver.subscribe(topics)
            done(nil)
        }
    }

    /// Goes on elsewhere in a partition that is read.
    package func seek(
        _ partition: NamedPartition, to start: StartPosition
    ) async throws(ClientError) {
        try await run { driver, done in
            driver.seek(partition, start)
            done(nil)
        }
    }

    /// The next records, in each partition's order; none if none came within `timeout`, or when
    /// the end of all partitions has been reached meanwhile (`isAtEnd`).
    /// - Throws: what ended the reading of a partition or the membership; the next poll goes on
    ///   with the others.
    package func poll(
        max limit: Int = 500, timeout: Duration = .seconds(1)
    ) async throws(ClientError) -> [ConsumerRecord] {
        var mayWait = true
        inbox.beginPoll()
        let contexts = CodecContexts()
        while true {
            guard !isClosed.load(ordering: .acquiring) else { throw .closed }
            switch try inbox.take(max(limit, 1)) {
            case .records(let records): return records
            case .fetched(let fetched):
                thread.post { $0.taken(fetched.bytes.count) }
                let records = try RecordDecoder.records(of: fetched, contexts: contexts)
                inbox.put(records, of: fetched)
            case .nothing:
                guard mayWait, !Task.isCancelled else { return [] }
                mayWait = false
                await waitForRecords(timeout)
            }
        }
    }

    private func waitForRecords(_ timeout: Duration) async {
        await withTaskCancellationHandler {
            await inbox.wait { waiter in thread.post { $0.limit(waiter, timeout) } }
        } onCancel: {
            inbox.wake(nil)
        }
    }

    /// The offset to go on from in each partition that records were polled of.
    package var positions: [NamedPartition: Offset] { inbox.positions }

    /// The partitions that are read now.
    package var assignment: Set<NamedPartition> { inbox.assigned }

    /// Whether the group has given this consumer its share, which may be no partition at all.
    package var isMember: Bool { inbox.isMember }

    /// Whether everything was polled that there was when the brokers were last asked.
    package var isAtEnd: Bool { inbox.isAtEnd }

    /// Why no broker has answered, and since when; nil while they do. Reading goes on by itself
    /// once they do again.
    package var trouble: (error: ClientError, since: ContinuousClock.Instant)? { inbox.trouble }

    /// Commits `positions` for the group.
    package func commit() async throws(ClientError) {
        let offsets = positions.mapValues { CommittedOffset(offset: $0) }
        guard !offsets.isEmpty else { return }
        try await commit(offsets)
    }

    /// Commits these offsets: of the next records to be read.
    package func commit(
        _ offsets: [NamedPartition: CommittedOffset]
    ) async throws(ClientError) {
        try await run { driver, done in driver.commit(offsets, done) }
    }

    /// Leaves the group and ends connections and thread. Nothing is committed.
    package func close() async {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        await withCheckedContinuation { (closed: CheckedContinuation<Void, Never>) in
            thread.post { driver in driver.close { closed.resume() } }
        }
        inbox.wake(nil)
        thread.stop()
    }

    /// Runs a command on the loop and waits for what it says.
    private func run(
        _ command: @escaping @Sendable (ConsumerDriver, @escaping (ClientError?) -> Void) -> Void
    ) async throws(ClientError) {
        guard !isClosed.load(ordering: .acquiring) else { throw .closed }
        let error = await withCheckedContinuation {
            (done: CheckedContinuation<ClientError?, Never>) in
            thread.post { driver in command(driver) { done.resume(returning: $0) } }
        }
        if let error { throw error }
    }
}
