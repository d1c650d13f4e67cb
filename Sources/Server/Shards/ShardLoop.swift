internal import Broker
internal import MillraceBase
internal import MillraceNet
internal import Storage

/// Runs one shard on one event loop: carries events to it and its effects to sockets, disks and
/// other threads. Decides nothing but where a write runs (`WritePace`). Loop's thread only.
final class ShardLoop: ConnectionHandler, EventLoopDelegate {
    /// What a loop shares with the rest of the node.
    struct Surroundings: Sendable {
        let shards: [Mailbox<ShardInput>]
        let control: @Sendable (ControlMessage) -> Void
        let disks: DiskThreads
        let checkpoints: CheckpointWriter
        let metrics: NodeMetrics
        /// What `queued.max.request.bytes` allows.
        let requestMemory: MemoryBudget
        let configureNetwork: @Sendable (DynamicNetwork) -> Void
        let stopped: @Sendable (_ isClean: Bool) -> Void
        let log: Log
    }

    private let loop: EventLoop
    private let waker: Waker
    private let shard: Shard
    private let index: Int
    private let around: Surroundings
    private var effects: [ShardEffect] = []
    /// Events that effects brought about; told once the effects at hand are done.
    private var pending = Deque<ShardEvent>()
    private var isRunning = false
    private var isStopping = false
    private var hasStopped = false
    private var timer: (deadline: Instant, id: LoopTimerID)?
    /// Appends that disk threads are writing, by partition: what follows must go there too.
    private var slowWrites: [PartitionSlot: Int] = [:]
    private var pace = WritePace()
    /// Of the checkpoints last taken: disk threads may come to an older one later.
    private var checkpointNumber = 0
    private let appendTime: HistogramCell

    init(
        loop: EventLoop, waker: Waker, shard: Shard, inbox: Mailbox<ShardInput>,
        around: Surroundings
    ) {
        (self.loop, self.waker, self.shard, self.around) = (loop, waker, shard, around)
        index = shard.identity.index
        appendTime = around.metrics.appendTime.cell()
        loop.delegate = self
        loop.attach(inbox) { [unowned self] inputs in
            for input in inputs { receive(input) }
        }
    }

    private func serve(_ listening: [ShardInput.Listening]) {
        for entry in listening {
            do throws(NetError) {
                try loop.listen(on: entry.socket, settings: entry.settings, handler: self)
            } catch {
                around.log.error(
                    "cannot accept", code: "net.listen",
                    ["listener": .text(entry.socket.name), "cause": .text(error.description)])
            }
        }
    }

    func run() { loop.run() }

    // MARK: Events

    func opened(_ connection: Connection) {
        let info = ConnectionInfo(
            listener: connection.listener, clientHost: "/\(connection.peer.ip)",
            principal: connection.tls?.peerSubject.map { "User:\($0)" } ?? "User:ANONYMOUS")
        tell(.opened(Self.key(connection.id), info))
    }

    func received(_ frame: UnsafeMutableRawBufferPointer, on connection: Connection) {
        tell(.frame(Self.key(connection.id), frame))
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        note(reason, of: connection)
        tell(.closed(Self.key(connection.id)))
    }

    private func note(_ reason: CloseReason, of connection: Connection) {
        let peer = LogValue.text("\(connection.peer)")
        switch reason {
        // The loop has written a line for these itself.
        case .handshakeFailed, .frameSize: break
        case .memoryExhausted:
            around.log.warn(
                "connection closed: the memory for requests is used up", code: "net.memory",
                ["peer": peer])
        default:
            around.log.debug(
                "connection closed", ["peer": peer, "reason": .text("\(reason)")])
        }
    }

    func turnEnded(_ loop: EventLoop) {
        guard let deadline = shard.nextDeadline else { return }
        if let timer {
            if timer.deadline <= deadline { return }
            loop.cancel(timer.id)
        }
        let id = loop.schedule(at: deadline) { [unowned self] in
            timer = nil
            tell(.tick)
        }
        timer = (deadline, id)
    }

    private func receive(_ input: ShardInput) {
        switch input {
        case .message(let message):
            tell(.message(message))
            around.requestMemory.drop(message.requestBytes)
        case .written(let write):
            if let count = slowWrites[write.slot] {
                slowWrites[write.slot] = count > 1 ? count - 1 : nil
            }
            if write.wasSlow { pace.slowElsewhere(at: SystemClock.instant()) }
            around.requestMemory.drop(write.byteCount)
            tell(.written(write.slot, write.append, write.fault))
            if isStopping { stop() }
        case .flushed(let slot, let job, let fault):
            tell(.flushed(slot, job, fault))
            if isStopping { stop() }
        case .serve(let listening): serve(listening)
        case .stopServing:
            loop.stopListening()
            loop.forEachConnection { $0.closeAfterFlush("the node stops") }
        case .stop:
            isStopping = true
            stop()
        }
    }

    /// Ends, once the disk threads have told how what they were writing and flushing went.
    private func stop() {
        guard !hasStopped, !shard.isBusy else { return }
        hasStopped = true
        // What was never opened is as clean as it was found.
        let directory = shard.identity.directory
        let isClean =
            shard.hasMetadata ? shard.closeLogs() : directory.wasStoppedCleanly
        if isClean, shard.hasMetadata { writeCheckpoints(shard.checkpoints(), to: directory) }
        waker.stop()
        around.stopped(isClean)
    }

    /// Tells the shard an event and does what it asks, and so on until nothing is left.
    private func tell(_ event: ShardEvent) {
        guard !isRunning else { return pending.append(event) }
        isRunning = true
        carryOut(event)
        while let event = pending.popFirst() { carryOut(event) }
        isRunning = false
    }

    private func carryOut(_ event: ShardEvent) {
        // The array goes back and forth, so that its memory serves every event.
        var taken: [ShardEffect] = []
        swap(&taken, &effects)
        shard.step(event, at: loop.moment, into: &taken)
        for effect in taken { run(effect) }
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &effects)
    }

    // MARK: Effects

    private func run(_ effect: ShardEffect) {
        switch effect {
        case .send(let key, let reply): send(reply, on: key)
        case .close(let key, let reason): connection(key)?.closeAfterFlush(reason)
        case .pause(let key): connection(key)?.pauseReading()
        case .resume(let key): connection(key)?.resumeReading()
        case .post(let shard, let message):
            around.requestMemory.keep(message.requestBytes)
            around.shards[shard].post(.message(message))
        case .control(let message): around.control(message)
        case .write(let slot, let append, let bytes): write(append, bytes, slot)
        case .flush(let slot, let job): flush(job, slot)
        case .remove(let job): remove(job)
        case .removeTree(let path, let reference, let delay): removeTree(path, reference, delay)
        case .checkpoint(let directory, let checkpoints, isUrgent: true):
            writeCheckpoints(checkpoints, to: directory)
        case .checkpoint(let directory, let checkpoints, isUrgent: false):
            checkpointNumber += 1
            let (writer, index, number) = (around.checkpoints, index, checkpointNumber)
            around.disks.submit(lane: -1) {
                writer.write(checkpoints, number, of: index, to: directory)
            }
        case .configureNetwork(let network): around.configureNetwork(network)
        case .wake: break  // `turnEnded` looks for the next deadline
        }
    }

    private func writeCheckpoints(_ checkpoints: DirectoryCheckpoints, to directory: LogDirectory) {
        checkpointNumber += 1
        around.checkpoints.write(checkpoints, checkpointNumber, of: index, to: directory)
    }

    private static func key(_ id: ConnectionID) -> ConnectionKey {
        ConnectionKey(slot: id.slot, generation: id.generation)
    }

    private func connection(_ key: ConnectionKey) -> Connection? {
        loop.connection(ConnectionID(slot: key.slot, generation: key.generation))
    }

    private func send(_ reply: Reply, on key: ConnectionKey) {
        guard let connection = connection(key) else { return }
        guard !reply.insertions.isEmpty else { return connection.send(reply.bytes) }
        var start = 0
        for insertion in reply.insertions {
            send(reply.bytes, start..<insertion.position, on: connection)
            send(insertion.slice, on: connection)
            start = insertion.position
        }
        send(reply.bytes, start..<reply.bytes.count, on: connection)
    }

    private func send(_ bytes: [UInt8], _ range: Range<Int>, on connection: Connection) {
        bytes.withUnsafeBytes {
            connection.send(copying: UnsafeRawBufferPointer(rebasing: $0[range]))
        }
    }

    private func send(_ slice: LogSlice, on connection: Connection) {
        guard let descriptor = slice.file.descriptor else {
            return connection.close("the log has no descriptor to send from")
        }
        connection.send(
            file: descriptor, offset: slice.position, count: slice.byteCount, retaining: slice.file)
    }

    private func write(
        _ append: StagedAppend, _ bytes: UnsafeRawBufferPointer, _ slot: PartitionSlot
    ) {
        // A partition's writes stay in order: none overtakes those that a disk thread has.
        if pace.isSlow(at: loop.now) || slowWrites[slot] != nil {
            return writeElsewhere(append, Array(bytes), slot)
        }
        let start = pace.begin(at: SystemClock.instant(), sleeps: WritePace.threadSleeps)
        let fault = Self.fault { () throws(FileFault) in try append.perform(bytes) }
        let time = pace.end(start, at: SystemClock.instant(), sleeps: WritePace.threadSleeps)
        appendTime.record(UInt64(clamping: time.nanosecondsClamped))
        pending.append(.written(slot, append, fault))
    }

    private func writeElsewhere(_ append: StagedAppend, _ bytes: [UInt8], _ slot: PartitionSlot) {
        slowWrites[slot, default: 0] += 1
        around.requestMemory.keep(bytes.count)
        let (inbox, appendTime) = (around.shards[index], around.metrics.appendTime)
        around.disks.submit(lane: slot.index) {
            let (begin, sleeps) = (SystemClock.instant(), WritePace.threadSleeps())
            let fault = Self.fault { () throws(FileFault) in try Self.perform(append, bytes) }
            let time = SystemClock.instant() - begin
            appendTime.record(UInt64(clamping: time.nanosecondsClamped))
            let wasSlow = time > WritePace.slow && WritePace.threadSleeps() > sleeps
            inbox.post(
                .written(
                    ShardInput.Written(
                        slot: slot, append: append, byteCount: bytes.count, wasSlow: wasSlow,
                        fault: fault)))
        }
    }

    private static func perform(_ append: StagedAppend, _ bytes: [UInt8]) throws(FileFault) {
        let result = bytes.withUnsafeBytes { buffer -> FileFault? in
            fault { () throws(FileFault) in try append.perform(buffer) }
        }
        if let result { throw result }
    }

    private func flush(_ job: FlushJob, _ slot: PartitionSlot) {
        let (inbox, time) = (around.shards[index], around.metrics.flushTime)
        around.disks.submit(lane: slot.index) {
            let begin = SystemClock.instant()
            let fault = Self.fault { () throws(FileFault) in try job.perform() }
            time.record(UInt64(clamping: (SystemClock.instant() - begin).nanosecondsClamped))
            inbox.post(.flushed(slot, job, fault))
        }
    }

    private func remove(_ job: RemovalJob) {
        let log = around.log
        around.disks.submit(lane: -1) {
            if let fault = Self.fault({ () throws(FileFault) in try job.perform() }) {
                log.warn("files not removed", ["cause": .text(fault.description)])
            }
        }
    }

    private func removeTree(_ path: String, _ reference: FileSystemReference, _ delay: Duration) {
        let (disks, log) = (around.disks, around.log)
        loop.schedule(at: loop.now + delay) {
            disks.submit(lane: -1) {
                let fault = Self.fault { () throws(FileFault) in
                    try reference.fileSystem.removeTree(path)
                }
                if let fault {
                    log.warn("folder not removed", ["cause": .text(fault.description)])
                }
            }
        }
    }

    private static func fault(_ body: () throws(FileFault) -> Void) -> FileFault? {
        do throws(FileFault) {
            try body()
            return nil
        } catch {
            return error
        }
    }
}
