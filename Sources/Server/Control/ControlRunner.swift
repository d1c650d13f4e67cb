package import Broker
internal import CMillrace
internal import Glibc
package import MillraceBase
internal import Metadata
internal import MillraceNet
internal import Raft
package import Storage
internal import Synchronization

/// Runs the control loop on a thread of its own: carries messages in, and writes, syncs and posts
/// what comes out. It waits for the disk where it must: nothing else is on this thread.
package final class ControlRunner: Sendable {
    package typealias Post = @Sendable (Int, ShardMessage) -> Void

    private struct Inbox {
        var messages: [ControlMessage] = []
        var stops = false
    }

    /// How the start on the thread went.
    private enum Start: Sendable {
        case pending
        case done
        case failed(String)
    }

    private let inbox = Mutex(Inbox())
    private let start = Mutex(Start.pending)
    private let wake: Int32
    private let started: Int32
    private let thread = Mutex<WorkerThread?>(nil)
    private let epoch = Atomic<Int64>(-1)
    private let log: Log
    private let post: Post
    private let onServing: @Sendable () -> Void
    private let commitTime: Histogram?

    /// The epoch of this broker's registration; −1 before there is one.
    package var brokerEpoch: Int64 { epoch.load(ordering: .relaxed) }

    /// Opens the metadata log and starts the thread.
    /// - Parameters:
    ///   - listenerPorts: the port that each listener was bound to, by its name.
    ///   - post: gives a message to a shard; on the control thread.
    ///   - onServing: called once, on the control thread, when every shard has taken up metadata in
    ///     which this broker is unfenced.
    /// - Throws: `CommandError`: the one line that says why the log cannot be used.
    package init(
        settings: NodeSettings, directory: LogDirectory, post: @escaping Post, shardCount: Int,
        listenerPorts: [String: UInt16], log: Log, metrics: NodeMetrics? = nil,
        onServing: @escaping @Sendable () -> Void
    ) throws(CommandError) {
        (self.log, self.post, self.onServing) = (log, post, onServing)
        commitTime = metrics?.metadataCommitTime
        wake = eventfd(0, Int32(EFD_CLOEXEC))
        started = eventfd(0, Int32(EFD_CLOEXEC))
        guard wake >= 0, started >= 0 else { throw CommandError("cannot make an eventfd") }
        let listeners = Self.registered(settings, listenerPorts, log)
        do throws(NetError) {
            let thread = try WorkerThread(name: "control") { [self] in
                run(settings, directory, shardCount, listeners)
            }
            self.thread.withLock { $0 = thread }
        } catch {
            throw CommandError("cannot start the control thread: \(error)")
        }
        Self.wait(on: started, milliseconds: -1)
        if case .failed(let reason) = start.withLock({ $0 }) {
            join()
            throw CommandError(reason)
        }
    }

    deinit {
        close(wake)
        close(started)
    }

    /// Gives the control loop a message. Any thread.
    package func post(_ message: ControlMessage) {
        let isFirst = inbox.withLock { inbox in
            inbox.messages.append(message)
            return inbox.messages.count == 1
        }
        if isFirst { Self.signal(wake) }
    }

    /// Stops the thread: what is decided is on disk, the log is closed clean.
    package func stop() {
        inbox.withLock { $0.stops = true }
        Self.signal(wake)
        join()
    }

    private func join() {
        let thread = thread.withLock { thread -> WorkerThread? in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }

    // MARK: On the thread

    private func run(
        _ settings: NodeSettings, _ directory: LogDirectory, _ shardCount: Int,
        _ listeners: [RegisteredListener]
    ) {
        let store: MetadataLogStore
        var loop: ControlLoop
        do throws(MetadataStoreError) {
            (store, loop) = try open(settings, directory, shardCount, listeners)
        } catch {
            start.withLock { $0 = .failed(error.description) }
            Self.signal(started)
            return
        }
        start.withLock { $0 = .done }
        Self.signal(started)
        var worker = Worker(store: store, directory: directory, runner: self)
        worker.handle(.started, &loop)
        while true {
            Self.wait(on: wake, milliseconds: 1000)
            let (messages, stops) = inbox.withLock { inbox in
                defer { inbox.messages = [] }
                return (inbox.messages, inbox.stops)
            }
            for message in messages { worker.handle(.message(message), &loop) }
            worker.settle(&loop)
            if stops { break }
            if messages.isEmpty { worker.handle(.tick, &loop) }
        }
        do throws(MetadataStoreError) {
            try store.close()
        } catch {
            log.error("the metadata log was not closed", ["cause": .text(error.description)])
        }
    }

    private func open(
        _ settings: NodeSettings, _ directory: LogDirectory, _ shardCount: Int,
        _ listeners: [RegisteredListener]
    ) throws(MetadataStoreError) -> (MetadataLogStore, ControlLoop) {
        let (store, found) = try MetadataLogStore.open(
            in: directory, openFiles: OpenFileCache(capacity: 16), now: SystemClock.now())
        var config = RaftConfig(
            nodeID: settings.nodeID, directoryID: directory.identity.directoryID,
            voters: [settings.nodeID])
        config.snapshotBytes = Int(clamping: settings.quorum.snapshotAfterBytes)
        config.snapshotInterval = settings.quorum.snapshotAfter ?? .zero
        var generator = SystemRandomNumberGenerator()
        let identity = ControlIdentity(
            settings: settings, clusterID: directory.identity.clusterID,
            directoryIDs: [directory.identity.directoryID],
            incarnation: .random(using: &generator), listeners: listeners,
            shardCount: shardCount,
            bootstrap: try store.bootstrapRecords() ?? Bootstrap.records())
        let loop = ControlLoop(
            identity, raft: RaftNode(config: config, recovery: found.recovery),
            image: found.image, random: generator, sink: log.sink,
            problemOfTLS: Self.problem)
        return (store, loop)
    }

    /// Why TLS settings cannot be used, from trying them.
    @Sendable private static func problem(_ settings: Broker.TLSSettings) -> String? {
        do throws(NetError) {
            _ = try TLSContext(MillraceNet.TLSSettings(settings), role: .server)
            return nil
        } catch {
            return error.description
        }
    }

    /// Does what the loop asks, until it asks nothing more. On the thread alone.
    private struct Worker {
        let store: MetadataLogStore
        let directory: LogDirectory
        let runner: ControlRunner
        var needsSync = false
        /// When the first append was made that is not durable.
        var appendedAt: Instant?
        var hasFailed = false

        mutating func handle(_ event: ControlEvent, _ loop: inout ControlLoop) {
            var events = [event]
            while !events.isEmpty {
                let event = events.removeFirst()
                var effects: [ControlEffect] = []
                loop.step(event, at: SystemClock.now(), into: &effects)
                for effect in effects {
                    if let answer = perform(effect) { events.append(answer) }
                }
                // One sync for all that came in one batch of messages; the start does not wait.
                if case .message = event { continue }
                if needsSync, events.isEmpty { events += synced() }
            }
        }

        /// Makes durable what was appended since the last time.
        mutating func settle(_ loop: inout ControlLoop) {
            for event in synced() { handle(event, &loop) }
        }

        private mutating func synced() -> [ControlEvent] {
            guard needsSync, !hasFailed else { return [] }
            needsSync = false
            do throws(MetadataStoreError) {
                let end = try store.sync(now: SystemClock.now())
                if let start = appendedAt {
                    let time = SystemClock.now().instant - start
                    runner.commitTime?.record(UInt64(clamping: time.nanosecondsClamped))
                }
                appendedAt = nil
                return [.raft(.persisted(end: end))]
            } catch {
                return [failed(error)]
            }
        }

        private mutating func perform(_ effect: ControlEffect) -> ControlEvent? {
            do throws(MetadataStoreError) {
                switch effect {
                case .post(let shard, let message): runner.post(shard, message)
                case .saveState(let state):
                    try store.save(state)
                    return .raft(.stateSaved(state))
                case .persist(let bytes, _):
                    guard !hasFailed else { return nil }
                    appendedAt = appendedAt ?? SystemClock.now().instant
                    try store.append(bytes, now: SystemClock.now())
                    needsSync = true
                case .takeSnapshot(let id, let image, let timestamp):
                    return takeSnapshot(id, image, timestamp)
                case .releaseLog(let offset):
                    try store.release(before: offset, now: SystemClock.now())
                case .serve(let brokerEpoch):
                    runner.epoch.store(brokerEpoch, ordering: .relaxed)
                    runner.log.info(
                        "broker registered and unfenced", ["epoch": LogValue(brokerEpoch)])
                    runner.onServing()
                }
            } catch {
                return failed(error)
            }
            return nil
        }

        private func takeSnapshot(
            _ id: SnapshotID, _ image: ClusterImage, _ timestamp: Timestamp
        ) -> ControlEvent {
            do throws(MetadataStoreError) {
                try store.saveSnapshot(
                    id, of: image, lastTimestamp: timestamp, now: SystemClock.now())
                return .raft(.snapshotSaved(id))
            } catch {
                runner.log.warn(
                    "a snapshot of the metadata was not written", code: "metadata.snapshot",
                    ["cause": .text(error.description)])
                return .raft(.snapshotFailed(id))
            }
        }

        private mutating func failed(_ error: MetadataStoreError) -> ControlEvent {
            if !hasFailed {
                runner.log.error(
                    "the metadata log cannot be written: restart the node when the disk is mended",
                    code: "metadata.offline", ["cause": .text(error.description)])
            }
            hasFailed = true
            return .failed(error.description)
        }
    }

    // MARK: Small things

    private static func registered(
        _ settings: NodeSettings, _ ports: [String: UInt16], _ log: Log
    ) -> [RegisteredListener] {
        settings.listeners.filter { !$0.isController }.map { listener in
            var host = listener.advertisedHost
            if host == nil {
                let found = AdvertisedAddress.ofThisMachine()
                log.warn(
                    "listener has no advertised name: set advertised.listeners",
                    code: "listener.advertised",
                    ["listener": .text(listener.name), "address": .text(found)])
                host = found
            }
            return RegisteredListener(
                name: listener.name, host: host ?? "",
                port: listener.advertisedPort ?? ports[listener.name] ?? listener.port,
                securityProtocol: listener.securityProtocol)
        }
    }

    private static func signal(_ descriptor: Int32) {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)  // an eventfd takes 2⁶⁴ − 2 of these
    }

    /// Waits until it was signalled, or the time is over.
    private static func wait(on descriptor: Int32, milliseconds: Int32) {
        var waited = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waited, 1, milliseconds) > 0 else { return }
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }
}
