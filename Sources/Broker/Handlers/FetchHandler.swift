internal import MillraceBase
internal import MillraceProtocol
internal import Replication
internal import Storage

extension Handler {
    static let fetch = Handler.deferring(.fetch, 4...18) {
        (shard, context, request: FetchRequest) in
        shard.fetch(request, context)
    }
}

extension Shard {
    // MARK: Sessions

    fileprivate func fetch(_ request: FetchRequest, _ context: RequestContext) {
        let wanted = targets(of: request, version: context.version)
        let isFull = request.sessionEpoch <= 0
        var sessionID: Int32 = 0
        var targets = wanted
        if isFull {
            if request.sessionId != 0 { fetches.sessions[request.sessionId] = nil }
            if request.sessionEpoch == 0, context.version >= 7 {
                let session = fetches.sessions.make(
                    wanted, usesTopicIDs: context.version >= 13, now: now.instant)
                sessionID = session?.id ?? 0
            }
        } else {
            switch update(request, wanted, version: context.version) {
            case .failure(let code): return refuse(request, code, context)
            case .success(let session):
                // With its last partition a session ends; the answer's id says so.
                sessionID = session.order.isEmpty ? 0 : session.id
                targets = session.order.compactMap { session.targets[$0] }
            }
        }
        let wait = Duration.milliseconds(max(0, request.maxWaitMs))
        let limit = min(Int(request.maxBytes), identity.settings.fetchBytesMax)
        let operation = FetchOperation(
            token: context.token, bytesMin: min(Int(request.minBytes), limit), bytesMax: limit,
            deadline: now.instant + wait, sessionID: sessionID,
            isCommittedOnly: request.isolationLevel == 1, isIncremental: !isFull,
            targets: targets)
        let replica = context.version >= 15 ? request.replicaState.replicaId : request.replicaId
        guard replica < 0 else { return refuseReplica(operation) }
        start(operation, id: newOperation())
    }

    private func refuse(_ request: FetchRequest, _ code: ErrorCode, _ context: RequestContext) {
        var response = FetchResponse()
        response.errorCode = code.rawValue
        metrics.failed(api: ApiKey.fetch.rawValue, errorCode: code.rawValue)
        reply(context.token, response)
    }

    /// Whoever names a replica id that is none gets nothing: there are no other replicas.
    private func refuseReplica(_ operation: FetchOperation) {
        var operation = operation
        operation.outcomes = operation.targets.map { _ in
            FetchOutcome(errorCode: ErrorCode.notLeaderOrFollower.rawValue)
        }
        finish(operation)
    }

    /// Partitions in the order in which they were named first; of one that was named twice the last
    /// words hold, as Kafka's map has it.
    private func targets(of request: FetchRequest, version: Int16) -> [FetchTarget] {
        var targets: [FetchTarget] = []
        var places: [FetchTargetKey: Int] = [:]
        for topic in request.topics {
            for partition in topic.partitions {
                let target = FetchTarget(
                    topicName: topic.topic, topicID: TopicID(topic.topicId),
                    partition: partition.partition, offset: partition.fetchOffset,
                    bytesMax: partition.partitionMaxBytes,
                    currentLeaderEpoch: partition.currentLeaderEpoch,
                    lastFetchedEpoch: partition.lastFetchedEpoch)
                if let place = places.updateValue(targets.count, forKey: target.key) {
                    (places[target.key], targets[place]) = (place, target)
                } else {
                    targets.append(target)
                }
            }
        }
        return targets
    }

    private func update(
        _ request: FetchRequest, _ wanted: [FetchTarget], version: Int16
    ) -> Result<FetchSession, ErrorCode> {
        guard var session = fetches.sessions[request.sessionId] else {
            return .failure(.fetchSessionIdNotFound)
        }
        guard session.epoch == request.sessionEpoch else {
            return .failure(.invalidFetchSessionEpoch)
        }
        guard session.usesTopicIDs == (version >= 13) else {
            return .failure(.fetchSessionTopicIdError)
        }
        session.epoch = session.epoch == .max ? 1 : session.epoch + 1
        session.lastUsed = now.instant
        for target in wanted { session.put(target) }
        var forgotten: Set<FetchTargetKey> = []
        for topic in request.forgottenTopicsData {
            for partition in topic.partitions {
                forgotten.insert(
                    FetchTargetKey(
                        topicName: topic.topic, topicID: TopicID(topic.topicId),
                        partition: partition))
            }
        }
        session.remove(forgotten)
        fetches.sessions[session.id] = session.order.isEmpty ? nil : session
        return .success(session)
    }

    // MARK: Reading

    /// Reads all partitions; waits if there is too little and time is left.
    private func start(_ operation: FetchOperation, id: UInt64) {
        var operation = operation
        let waits = operation.deadline > now.instant && operation.bytesMin > 0
        operation.outcomes = Array(repeating: nil, count: operation.targets.count)
        operation.wasWoken = false
        var remote: [Int: [FetchItem]] = [:]
        var remaining = operation.bytesMax
        var isFirst = true
        for index in operation.targets.indices {
            let target = operation.targets[index]
            switch resolve(target, version: operation.token.version) {
            case .failure(let code):
                operation.outcomes[index] = FetchOutcome(errorCode: code.rawValue)
            case .success(let entry):
                let item = item(index, target, entry)
                guard entry.shard == identity.index else {
                    remote[entry.shard ?? 0, default: []].append(item)
                    continue
                }
                let outcome = read(item, bytesMax: remaining, minOneBatch: isFirst)
                if remaining > 0 { remaining = max(0, remaining - outcome.byteCount) }
                if outcome.byteCount > 0 { isFirst = false }
                operation.outcomes[index] = outcome
            }
        }
        operation.awaited = remote.count
        // What comes while the other shards read must not be missed.
        if waits, !remote.isEmpty { watch(&operation, id) }
        fetches.waiting[id] = operation
        for (shard, items) in remote.sorted(by: { $0.key < $1.key }) {
            post(
                shard,
                .fetch(
                    FetchPart(
                        shard: identity.index, operation: id, bytesMax: operation.bytesMax,
                        watches: waits, bytesMin: operation.bytesMin, items: items)))
        }
        if remote.isEmpty { settle(id) }
    }

    private func item(_ index: Int, _ target: FetchTarget, _ entry: PartitionEntry) -> FetchItem {
        FetchItem(
            index: index, partition: entry.id, offset: Offset(target.offset),
            bytesMax: Int(target.bytesMax),
            currentLeaderEpoch: target.currentLeaderEpoch,
            lastFetchedEpoch: target.lastFetchedEpoch)
    }

    private func resolve(
        _ target: FetchTarget, version: Int16
    ) -> Result<PartitionEntry, ErrorCode> {
        let usesID = version >= 13
        let index =
            usesID ? topics.index(id: target.topicID) : topics.index(name: target.topicName)
        guard let index else {
            let isUnknownID = usesID && !target.wasFound
            return .failure(isUnknownID ? .unknownTopicId : .unknownTopicOrPartition)
        }
        guard let entry = topics.partition(index, target.partition) else {
            return .failure(.unknownTopicOrPartition)
        }
        guard entry.shard != nil else { return .failure(.notLeaderOrFollower) }
        return .success(entry)
    }

    /// Reads one partition of this shard.
    private func read(_ item: FetchItem, bytesMax: Int, minOneBatch: Bool) -> FetchOutcome {
        guard let slot = topics.slot(of: item.partition), let partition = partition(slot) else {
            return FetchOutcome(errorCode: notServed.rawValue)
        }
        if let code = checkEpoch(item.currentLeaderEpoch, of: partition) {
            return FetchOutcome(errorCode: code.rawValue)
        }
        let log = partition.log
        var outcome = FetchOutcome(
            highWatermark: partition.highWatermark.rawValue,
            logStartOffset: log.startOffset.rawValue)
        if item.lastFetchedEpoch >= 0, let diverging = divergence(item, log) {
            guard diverging.0 >= 0 else {
                return FetchOutcome(errorCode: ErrorCode.offsetOutOfRange.rawValue)
            }
            (outcome.divergingEpoch, outcome.divergingEnd) = diverging
            return outcome
        }
        guard item.offset >= log.startOffset, item.offset <= log.endOffset else {
            return FetchOutcome(errorCode: ErrorCode.offsetOutOfRange.rawValue)
        }
        guard item.bytesMax >= 0, bytesMax >= 0 else {
            return FetchOutcome(errorCode: ErrorCode.invalidRequest.rawValue)
        }
        guard item.offset < partition.highWatermark else { return outcome }
        let limit = min(item.bytesMax, bytesMax)
        guard limit > 0 || minOneBatch else { return outcome }
        do throws(StorageError) {
            outcome.slice = try log.read(
                from: item.offset, maxBytes: limit, upTo: partition.highWatermark,
                minOneBatch: minOneBatch)
        } catch {
            noteStorage(error)
            return FetchOutcome(errorCode: error.errorCode.rawValue)
        }
        return outcome
    }

    /// The end of the last epoch that the reader shares with this log, if it has read beyond it.
    private func divergence(_ item: FetchItem, _ log: PartitionLog) -> (Int32, Int64)? {
        let (epoch, end) = log.endOffset(for: LeaderEpoch(item.lastFetchedEpoch))
        guard epoch.rawValue < item.lastFetchedEpoch || end < item.offset else { return nil }
        return (epoch.rawValue, end.rawValue)
    }

    func checkEpoch(_ epoch: Int32, of partition: Partition) -> ErrorCode? {
        guard epoch >= 0, epoch != partition.leaderEpoch.rawValue else { return nil }
        return epoch < partition.leaderEpoch.rawValue ? .fencedLeaderEpoch : .unknownLeaderEpoch
    }

    /// Reads for another shard's connection.
    func read(_ part: FetchPart) {
        var answer = FetchPartAnswer(shard: identity.index, isWatched: false, results: [])
        var bytes = 0
        for item in part.items {
            // A limit below zero is no limit that is used up: it is refused.
            let left = bytes == 0 ? part.bytesMax : max(0, part.bytesMax - bytes)
            let outcome = read(item, bytesMax: left, minOneBatch: bytes == 0)
            bytes += outcome.byteCount
            answer.results.append(FetchPartResult(index: item.index, outcome: outcome))
        }
        let watch = FetchWatch(shard: part.shard, operation: part.operation)
        unwatch(watch)
        if part.watches, bytes < part.bytesMin, !answer.results.contains(where: \.outcome.isUrgent)
        {
            answer.isWatched = true
            fetches.watched[watch] = part.items.compactMap { topics.slot(of: $0.partition) }
            for slot in fetches.watched[watch] ?? [] { partition(slot)?.watch(watch) }
        }
        post(part.shard, .fetched(operation: part.operation, answer))
    }

    /// A fetch of another shard's connection waits no more.
    func unwatch(_ watch: FetchWatch) {
        for slot in fetches.watched.removeValue(forKey: watch) ?? [] {
            partition(slot)?.unwatch(watch)
        }
    }

    func fetched(_ id: UInt64, _ answer: FetchPartAnswer) {
        guard var operation = fetches.waiting[id] else {
            // Its connection was closed meanwhile.
            if answer.isWatched { endWatch(at: answer.shard, id) }
            return
        }
        for result in answer.results { operation.outcomes[result.index] = result.outcome }
        if answer.isWatched { operation.watching.insert(answer.shard) }
        operation.awaited -= 1
        fetches.waiting[id] = operation
        if operation.awaited == 0 { settle(id) }
    }

    private func endWatch(at shard: Int, _ id: UInt64) {
        post(shard, .fetchEnded(shard: identity.index, operation: id))
    }

    // MARK: Waiting and answering

    /// All has been read: answers, or waits for more.
    private func settle(_ id: UInt64) {
        guard var operation = fetches.waiting[id] else { return }
        let bytes = operation.outcomes.reduce(0) { $0 + ($1?.byteCount ?? 0) }
        let isUrgent = operation.outcomes.contains { $0?.isUrgent == true }
        let timeIsUp = operation.deadline <= now.instant
        if timeIsUp || isUrgent || bytes >= operation.bytesMin || operation.targets.isEmpty {
            end(operation, id)
            return finish(operation)
        }
        if operation.wasWoken { return start(operation, id: id) }
        watch(&operation, id)
        if operation.timer == nil {
            operation.timer = upkeep.timers.schedule(.fetch(id), at: operation.deadline)
            effects.append(.wake(operation.deadline))
        }
        fetches.waiting[id] = operation
    }

    private func watch(_ operation: inout FetchOperation, _ id: UInt64) {
        unwatch(operation, id)
        operation.watched.removeAll(keepingCapacity: true)
        for target in operation.targets {
            guard case .success(let entry) = resolve(target, version: operation.token.version),
                entry.shard == identity.index, let slot = entry.slot,
                let partition = partition(slot)
            else { continue }
            partition.watch(FetchWatch(shard: identity.index, operation: id))
            operation.watched.append(slot)
        }
    }

    /// The operation is over: nobody tells it anything any more.
    private func end(_ operation: FetchOperation, _ id: UInt64) {
        fetches.waiting[id] = nil
        unwatch(operation, id)
        if let timer = operation.timer { upkeep.timers.cancel(timer) }
        for shard in operation.watching.sorted() { endWatch(at: shard, id) }
    }

    /// Fetches of a connection that is gone wait no more.
    func endFetches(of key: ConnectionKey) {
        let ended = fetches.waiting.filter { $0.value.token.connection == key }
        for (id, operation) in ended.sorted(by: { $0.key < $1.key }) { end(operation, id) }
    }

    private func unwatch(_ operation: FetchOperation, _ id: UInt64) {
        for slot in operation.watched {
            partition(slot)?.unwatch(FetchWatch(shard: identity.index, operation: id))
        }
    }

    /// A partition has something new, or the time is up.
    func wake(fetch id: UInt64) {
        guard var operation = fetches.waiting[id] else { return }
        guard operation.awaited == 0 else {
            operation.wasWoken = true
            fetches.waiting[id] = operation
            return
        }
        start(operation, id: id)
    }

    private func finish(_ operation: FetchOperation) {
        var response = FetchResponse()
        response.sessionId = operation.sessionID
        var slices: [LogSlice] = []
        var session = operation.sessionID == 0 ? nil : fetches.sessions[operation.sessionID]
        var total = 0
        var served: [FetchTargetKey] = []
        for (index, target) in operation.targets.enumerated() {
            var outcome = operation.outcomes[index] ?? FetchOutcome()
            // Shards read without knowing of each other: together they may be over the limit.
            if total > 0, total + outcome.byteCount > operation.bytesMax { outcome.slice = nil }
            total += outcome.byteCount
            if outcome.byteCount > 0, session != nil { served.append(target.key) }
            guard tell(outcome, target, &session, operation) else { continue }
            add(outcome, target, isCommittedOnly: operation.isCommittedOnly, to: &response)
            if let slice = outcome.slice { slices.append(slice) }
            if outcome.errorCode != 0 {
                metrics.failed(api: ApiKey.fetch.rawValue, errorCode: outcome.errorCode)
            }
        }
        if var session {
            session.moveToEnd(served)
            fetches.sessions[session.id] = session
        }
        reply(operation.token, response, slices: slices)
    }

    /// Whether the answer names the partition: in a session only what is new to the client.
    private func tell(
        _ outcome: FetchOutcome, _ target: FetchTarget, _ session: inout FetchSession?,
        _ operation: FetchOperation
    ) -> Bool {
        guard session != nil, let stored = session?.targets[target.key] else { return true }
        let told = (highWatermark: outcome.highWatermark, logStartOffset: outcome.logStartOffset)
        let isNew =
            outcome.errorCode != 0 || outcome.byteCount > 0 || outcome.divergingEpoch >= 0
            || stored.told == nil || stored.told?.highWatermark != told.highWatermark
            || stored.told?.logStartOffset != told.logStartOffset
        // An error is told again each time until it passes, as in Kafka.
        session?.targets[target.key]?.told = outcome.errorCode != 0 ? nil : told
        if outcome.errorCode == 0 { session?.targets[target.key]?.wasFound = true }
        return !operation.isIncremental || isNew
    }

    private func add(
        _ outcome: FetchOutcome, _ target: FetchTarget, isCommittedOnly: Bool,
        to response: inout FetchResponse
    ) {
        var partition = FetchResponse.Response.Partition()
        partition.partitionIndex = target.partition
        partition.errorCode = outcome.errorCode
        partition.highWatermark = outcome.highWatermark
        partition.lastStableOffset = outcome.highWatermark
        partition.logStartOffset = outcome.logStartOffset
        // Kafka has no list for read_uncommitted, but an empty one where it found no partition.
        let isUnknown = [
            ErrorCode.unknownTopicId.rawValue, ErrorCode.unknownTopicOrPartition.rawValue,
        ].contains(outcome.errorCode)
        partition.abortedTransactions = isCommittedOnly || isUnknown ? [] : nil
        partition.divergingEpoch.epoch = outcome.divergingEpoch
        partition.divergingEpoch.endOffset = outcome.divergingEnd
        partition.records = outcome.slice.map { .external(count: $0.byteCount) } ?? .bytes([])
        let last = response.responses.count - 1
        if last >= 0, response.responses[last].topic == target.topicName,
            response.responses[last].topicId == target.topicID.uuid
        {
            response.responses[last].partitions.append(partition)
        } else {
            var topic = FetchResponse.Response()
            (topic.topic, topic.topicId) = (target.topicName, target.topicID.uuid)
            topic.partitions = [partition]
            response.responses.append(topic)
        }
    }
}
