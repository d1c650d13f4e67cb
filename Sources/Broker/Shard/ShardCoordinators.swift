internal import Coordinators
internal import Metadata
internal import MillraceBase
internal import MillraceProtocol
internal import MillraceRecords
internal import Replication
internal import Storage

/// The group coordinators of a shard, and the requests of its connections that wait for some.
struct ShardCoordinators {
    /// The coordinator of one partition of `__consumer_offsets` that this shard has.
    struct Led {
        let slot: PartitionSlot
        var machine: GroupCoordinator
        /// Where the log is read on, while it is loaded.
        var loading: Offset?
        var timer: (id: TimerID, at: Instant)?
    }

    /// Who is to be told an answer.
    struct Asked {
        var shard: Int
        var operation: UInt64
        var part: Int
    }

    /// A request of a connection of this shard that asked coordinators.
    struct Waiting {
        var remaining: Int
        var answers: [GroupResponse?]
        let finish: (Shard, [GroupResponse]) -> Void
    }

    /// By partition.
    var led: [Int32: Led] = [:]
    var asked: [RequestToken: Asked] = [:]
    var appends: [UInt64: (partition: Int32, change: ChangeToken)] = [:]
    var waiting: [UInt64: Waiting] = [:]

    /// How much of a log is read in one turn, so that other requests are served while a long one is
    /// loaded.
    static let loadBytes = 2 << 20
    /// How soon a coordinator that lost its state tries again.
    static let reloadDelay = Duration.seconds(1)
}

// Where the coordinators are: their partitions' logs, and time.
extension Shard {
    /// This node leads a partition of `__consumer_offsets` from now on.
    func coordinatorElected(_ partition: Int32, _ slot: PartitionSlot) {
        forgetCoordinator(partition)
        let groups = identity.settings.groups
        var settings = GroupSettings()
        settings.sessionTimeoutMin = groups.sessionTimeoutMin
        settings.sessionTimeoutMax = groups.sessionTimeoutMax
        settings.initialRebalanceDelay = groups.initialRebalanceDelay
        settings.membersMax = groups.membersMax
        settings.offsetMetadataBytesMax = groups.offsetMetadataBytesMax
        settings.offsetsRetention = groups.offsetsRetention
        settings.offsetsRetentionCheckInterval = groups.offsetsRetentionCheckInterval
        coordinators.led[partition] = ShardCoordinators.Led(
            slot: slot,
            machine: GroupCoordinator(settings: settings, generator: makeRandom()),
            loading: .zero)
        load(partition)
    }

    /// The partition is led no more: whoever waits is told, and the state goes.
    private func forgetCoordinator(_ partition: Int32) {
        guard coordinators.led[partition] != nil else { return }
        step(partition, .lost(.notCoordinator))
        forgetAppends(partition)
        if let timer = coordinators.led[partition]?.timer { upkeep.timers.cancel(timer.id) }
        coordinators.led[partition] = nil
    }

    /// Everything below `offset` of a partition is committed. Coordinators wait for their own
    /// appends, which tell the same.
    func committed(_ slot: PartitionSlot, _ offset: Offset) {}

    /// Reads some of the log; the rest on later turns.
    private func load(_ partition: Int32) {
        guard let led = coordinators.led[partition], var next = led.loading,
            let log = self.partition(led.slot)?.log,
            let end = self.partition(led.slot)?.highWatermark
        else { return }
        next = max(next, log.startOffset)
        let problem = load(partition, log, &next, end)
        if let problem {
            coordinators.led[partition]?.loading = nil
            self.log.error(
                "group coordinator cannot be loaded", code: "coordinator.load",
                ["partition": LogValue(partition), "cause": .text(problem)])
            return
        }
        if next < end {
            coordinators.led[partition]?.loading = next
            upkeep.timers.schedule(.coordinator(partition: partition), at: now.instant)
        } else {
            coordinators.led[partition]?.loading = nil
            step(partition, .loaded)
            forgetStaleOffsets(partition)
        }
    }

    /// Topics that were deleted while nobody looked, or before the offsets' tombstones were
    /// written, leave offsets that a topic of the same name must not inherit.
    private func forgetStaleOffsets(_ partition: Int32) {
        guard let view, let led = coordinators.led[partition] else { return }
        for topic in led.machine.topicsWithOffsets {
            if let id = view.image.topicIDs[topic] {
                step(partition, .topicReplaced(topic, by: id.uuid))
            } else {
                step(partition, .topicsDeleted([topic]))
            }
        }
    }

    private func load(
        _ partition: Int32, _ log: PartitionLog, _ next: inout Offset, _ end: Offset
    ) -> String? {
        guard next < end else { return nil }
        do throws(StorageError) {
            let slice = try log.read(
                from: next, maxBytes: ShardCoordinators.loadBytes, upTo: end, minOneBatch: true)
            guard let slice else {
                next = end  // only batches that compaction took away are left
                return nil
            }
            return load(partition, slice, &next)
        } catch {
            noteStorage(error)
            return error.description
        }
    }

    private func load(_ partition: Int32, _ slice: LogSlice, _ next: inout Offset) -> String? {
        let bytes: [UInt8]
        do throws(FileFault) { bytes = try slice.bytes() } catch { return error.description }
        let start = next.rawValue
        let entries = bytes.withUnsafeBytes {
            buffer -> Result<([CoordinatorLogReader.Entry], Int64), RecordsError> in
            do throws(RecordsError) {
                var entries: [CoordinatorLogReader.Entry] = []
                let end = try CoordinatorLogReader.read(buffer, from: start, contexts: contexts) {
                    entries.append($0)
                }
                return .success((entries, end))
            } catch {
                return .failure(error)
            }
        }
        switch entries {
        case .failure(let error): return "\(error)"
        case .success(let (entries, end)):
            guard end > start else { return "the log does not go on at offset \(start)" }
            next = Offset(end)
            for entry in entries {
                switch entry {
                case .record(let record, let transaction):
                    step(partition, .replay(record, transaction: transaction))
                case .end(let transaction, let isCommit):
                    step(partition, .replayEnd(transaction: transaction, isCommit: isCommit))
                }
            }
            return nil
        }
    }

    // MARK: Steps

    private func step(_ partition: Int32, _ event: GroupEvent) {
        guard var led = coordinators.led[partition] else { return }
        coordinators.led[partition] = nil  // one owner of the machine's state: no copies
        var effects: [GroupEffect] = []
        led.machine.step(event, at: now, into: &effects)
        coordinators.led[partition] = led
        for effect in effects {
            switch effect {
            case .append(let records, let change):
                append(records, change, to: partition, led.slot)
            case .reply(let token, let response): tell(token, response)
            }
        }
        schedule(partition)
    }

    /// Sees to it that the machine is told when time has passed.
    private func schedule(_ partition: Int32) {
        guard let led = coordinators.led[partition] else { return }
        let next = led.machine.nextDeadline
        guard next != led.timer?.at else { return }
        if let timer = led.timer { upkeep.timers.cancel(timer.id) }
        coordinators.led[partition]?.timer = next.map { deadline in
            (upkeep.timers.schedule(.coordinator(partition: partition), at: deadline), deadline)
        }
    }

    func coordinatorTick(_ partition: Int32) {
        guard let led = coordinators.led[partition] else { return }
        if let timer = led.timer, timer.at <= now.instant {
            coordinators.led[partition]?.timer = nil
        }
        if led.machine.hasLostState {
            coordinatorElected(partition, led.slot)
        } else if led.loading != nil {
            load(partition)
        } else {
            step(partition, .tick)
        }
    }

    private func append(
        _ records: [CoordinatorRecord], _ change: ChangeToken, to partition: Int32,
        _ slot: PartitionSlot
    ) {
        guard let owner = self.partition(slot) else { return lose(partition, .notCoordinator) }
        var builder = BatchBuilder()
        for record in records {
            builder.append(timestamp: now.timestamp, key: record.key, value: record.value)
        }
        var batch = builder.finish()
        let token = newOperation()
        do throws(StorageError) {
            let taken = try owner.append(
                built: &batch, waiter: .coordinator(token), now: now, into: &partitionEffects)
            switch taken {
            case .staged(let append):
                coordinators.appends[token] = (partition, change)
                effects.append(.write(slot, append, UnsafeRawBufferPointer(hold(batch))))
            case .duplicate: preconditionFailure("a coordinator's batch has no producer")
            case .refused(let refusal): lose(partition, refusal.errorCode)
            case .notEnoughReplicas: lose(partition, .coordinatorNotAvailable)
            }
        } catch {
            noteStorage(error)
            lose(partition, .notCoordinator)
        }
    }

    /// A change is lost, and with it the state: it is loaded again from what the log holds.
    private func lose(_ partition: Int32, _ code: ErrorCode) {
        guard let led = coordinators.led[partition], !led.machine.hasLostState else { return }
        step(partition, .lost(code))
        forgetAppends(partition)
        guard identity.directory.offlineCause == nil else { return }
        upkeep.timers.schedule(
            .coordinator(partition: partition), at: now.instant + ShardCoordinators.reloadDelay)
    }

    /// What becomes of appends of a dropped state is the log's business, not its successor's.
    private func forgetAppends(_ partition: Int32) {
        coordinators.appends = coordinators.appends.filter { $0.value.partition != partition }
    }

    /// A coordinator's append was committed, or is lost.
    func coordinatorAppended(_ token: UInt64, _ result: Result<AppendResult, ErrorCode>) {
        guard let (partition, change) = coordinators.appends.removeValue(forKey: token) else {
            return
        }
        switch result {
        case .success: step(partition, .committed(change))
        case .failure: lose(partition, .notCoordinator)
        }
    }

    /// A topic is gone: so are the offsets committed for it, or the coordinators themselves.
    func topicDeleted(_ name: String) {
        for partition in coordinators.led.keys.sorted() {
            if name == InternalTopic.consumerOffsets {
                forgetCoordinator(partition)
            } else {
                step(partition, .topicsDeleted([name]))
            }
        }
    }
}

// Requests to coordinators, of this shard's connections and others'.
extension Shard {
    /// Asks the coordinators of groups, and calls `finish` with the answers, in order, when all are
    /// there.
    func ask(
        _ requests: [(group: String, GroupRequest)], _ context: RequestContext,
        finish: @escaping (Shard, [GroupResponse]) -> Void
    ) {
        guard !requests.isEmpty else { return finish(self, []) }
        let operation = begin(requests.count, finish)
        for (part, (group, request)) in requests.enumerated() {
            guard let (shard, partition) = coordinator(of: group) else {
                coordinated(operation, part, .failed(.notCoordinator))
                continue
            }
            let call = CoordinatorCall(
                partition: partition, shard: identity.index, operation: operation, part: part,
                client: context.groupClient, request: request)
            post(shard, .coordinator(call))
        }
    }

    /// Asks all coordinators of this node, a shard at a time.
    func askAll(
        _ request: GroupRequest, _ context: RequestContext,
        finish: @escaping (Shard, [GroupResponse]) -> Void
    ) {
        let operation = begin(identity.count, finish)
        for shard in 0..<identity.count {
            let call = CoordinatorCall(
                partition: nil, shard: identity.index, operation: operation, part: shard,
                client: context.groupClient, request: request)
            post(shard, .coordinator(call))
        }
    }

    private func begin(
        _ count: Int, _ finish: @escaping (Shard, [GroupResponse]) -> Void
    ) -> UInt64 {
        let operation = newOperation()
        coordinators.waiting[operation] = ShardCoordinators.Waiting(
            remaining: count, answers: Array(repeating: nil, count: count), finish: finish)
        return operation
    }

    /// The shard and the partition that coordinate a group, if this node has it.
    private func coordinator(of group: String) -> (shard: Int, partition: Int32)? {
        guard let index = topics.index(name: InternalTopic.consumerOffsets),
            let entry = topics[index]
        else { return nil }
        let partition = Hashes.coordinatorPartition(group, count: Int32(entry.partitions.count))
        guard let shard = topics.partition(index, partition)?.shard else { return nil }
        return (shard, partition)
    }

    func coordinate(_ call: CoordinatorCall) {
        guard let partition = call.partition else { return list(call) }
        guard coordinators.led[partition] != nil else {
            return post(
                call.shard,
                .coordinated(operation: call.operation, part: call.part, .failed(.notCoordinator)))
        }
        let token = RequestToken(rawValue: newOperation())
        coordinators.asked[token] = ShardCoordinators.Asked(
            shard: call.shard, operation: call.operation, part: call.part)
        step(partition, .request(call.request, call.client, token))
    }

    /// All coordinators of this shard answer a list at once.
    private func list(_ call: CoordinatorCall) {
        let partitions = coordinators.led.keys.sorted()
        let finish: (Shard, [GroupResponse]) -> Void = { shard, answers in
            var groups: [ListGroupsResponse.Group] = []
            var response: GroupResponse?
            for answer in answers {
                switch answer {
                case .list(let some): groups += some
                // A log that is still being loaded may have more: the whole list says so.
                case .failed(.coordinatorLoadInProgress): response = answer
                default: break
                }
            }
            shard.post(
                call.shard,
                .coordinated(
                    operation: call.operation, part: call.part, response ?? .list(groups)))
        }
        guard !partitions.isEmpty else { return finish(self, []) }
        let operation = begin(partitions.count, finish)
        for (part, partition) in partitions.enumerated() {
            var one = call
            (one.partition, one.shard) = (partition, identity.index)
            (one.operation, one.part) = (operation, part)
            coordinate(one)
        }
    }

    private func tell(_ token: RequestToken, _ response: GroupResponse) {
        guard let asked = coordinators.asked.removeValue(forKey: token) else {
            preconditionFailure("a request is answered once")
        }
        post(
            asked.shard,
            .coordinated(operation: asked.operation, part: asked.part, response))
    }

    func coordinated(_ operation: UInt64, _ part: Int, _ response: GroupResponse) {
        guard var waiting = coordinators.waiting.removeValue(forKey: operation) else { return }
        waiting.answers[part] = response
        waiting.remaining -= 1
        if waiting.remaining == 0 {
            waiting.finish(self, waiting.answers.compactMap { $0 })
        } else {
            coordinators.waiting[operation] = waiting
        }
    }
}

extension RequestContext {
    var groupClient: GroupClient {
        GroupClient(id: clientID ?? "", host: connection.clientHost)
    }
}
