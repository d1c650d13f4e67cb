package import MillraceBase
internal import MillraceProtocol
internal import MillraceRecords

/// Decides what a producer sends, when and to whom: gathers records in batches, chooses partitions,
/// numbers batches (KIP-98), repeats what may be repeated. One per producer; owned by its loop.
///
/// Order is kept in each partition, since one batch of it is on its way at a time. A batch is
/// written once: repeats carry its bytes, and so its sequence. When a numbered batch is given up
/// its partition would have a gap: a new producer id is asked for, under which sequences begin
/// again.
package struct ProducerCore {
    package enum Event {
        /// Records with their tickets, which `delivered` bears; tickets need not differ.
        case appended([ProducerRecord], tickets: [UInt64], timestamp: Timestamp)
        case answered(RequestToken, ClientResponse)
        case failed(RequestToken, ClientError)
        /// Everything that waits now is sent without lingering.
        case flush
        case tick
    }

    package enum Effect: Equatable {
        case send(RequestToken, RequestTarget, ClientRequest)
        case delivered(Delivery)
    }

    private struct Call {
        var node: NodeID
        var partitions: [NamedPartition]
    }

    package let settings: ProducerSettings
    private var metadata: MetadataCache
    private var queues: [NamedPartition: PartitionQueue] = [:]
    /// Records of topics whose partitions are not known yet.
    private var unplaced: [String: PendingBatch] = [:]
    private var sticky: [String: Int32] = [:]
    private var calls: [RequestToken: Call] = [:]
    private var inFlight: [NodeID: Int] = [:]
    private var producer = BatchProducer.none
    private var idToken: RequestToken?
    private var idNotBefore = Instant.zero
    private var idFailure: ClientError?
    private var idAttempts = 0
    private var lastToken: RequestToken = 0
    private var isFlushing = false
    private var random: SeededGenerator
    private let contexts = CodecContexts()
    /// Bytes of records that are neither delivered nor given up.
    package private(set) var bufferedBytes = 0

    package init(_ settings: ProducerSettings, seed: UInt64) {
        self.settings = settings
        metadata = MetadataCache(retryDelay: settings.backoff.first, createsTopics: true)
        random = SeededGenerator(seed: seed)
    }

    /// Whether nothing waits and nothing is on its way.
    package var isIdle: Bool { bufferedBytes == 0 }

    private var isNumbering: Bool { settings.isIdempotent && settings.acks == -1 }

    package mutating func step(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        switch event {
        case .appended(let records, let tickets, let timestamp):
            precondition(records.count == tickets.count, "each record has a ticket")
            for (record, ticket) in zip(records, tickets) {
                append(record, ticket, timestamp, at: now, into: &effects)
            }
        case .answered(let token, let response):
            answered(token, response, at: now, into: &effects)
        case .failed(let token, let error): failed(token, error, at: now, into: &effects)
        case .flush: isFlushing = true
        case .tick: break
        }
        expire(at: now, into: &effects)
        place(at: now, into: &effects)
        ask(at: now, into: &effects)
        drain(at: now, into: &effects)
        if isIdle { isFlushing = false }
        precondition(bufferedBytes >= 0, "what leaves the buffer was in it")
    }

    /// When `tick` is next needed.
    package var deadline: Instant {
        var next = metadata.deadline
        if isNumbering, producer.id < 0, idToken == nil, !queues.isEmpty {
            next = min(next, idNotBefore)
        }
        for (partition, queue) in queues {
            // What lacks a leader or an id goes on with the answer that brings it.
            let lacksID = isNumbering && producer.id < 0 && queue.batches.first?.sealed == nil
            if metadata.leader(of: partition) != nil, !lacksID {
                next = min(next, queue.deadline(linger: isFlushing ? .zero : settings.linger))
            }
            if let first = queue.batches.first {
                next = min(next, first.since + settings.deliveryTimeout)
            }
        }
        for batch in unplaced.values { next = min(next, batch.since + settings.deliveryTimeout) }
        return next
    }

    // MARK: gathering

    private mutating func append(
        _ record: ProducerRecord, _ ticket: UInt64, _ timestamp: Timestamp, at now: Instant,
        into effects: inout [Effect]
    ) {
        var record = record
        if record.timestamp == .none { record.timestamp = timestamp }
        let size = record.byteCount
        guard bufferedBytes + size <= settings.bufferBytes else {
            let partition = NamedPartition(record.topic, record.partition ?? -1)
            effects.append(
                .delivered(
                    Delivery(
                        partition: partition, tickets: [ticket], byteCount: size,
                        result: .failure(.bufferFull))))
            return
        }
        bufferedBytes += size
        metadata.want(record.topic)
        guard unplaced[record.topic] == nil,
            let count = metadata.partitionCount(of: record.topic)
        else {
            unplaced[record.topic, default: PendingBatch(since: now)].add(record, ticket, size)
            return
        }
        put(record, ticket, size, among: count, since: now, at: now, into: &effects)
    }

    private mutating func put(
        _ record: ProducerRecord, _ ticket: UInt64, _ size: Int, among count: Int32,
        since: Instant, at now: Instant, into effects: inout [Effect]
    ) {
        let index = partition(for: record, among: count)
        let name = NamedPartition(record.topic, index)
        guard index >= 0, index < count else {
            let error = ClientError.refused(
                .unknownTopicOrPartition, "\(record.topic) has \(count) partitions")
            return settle(name, [ticket], size, since, at: now, .failure(error), into: &effects)
        }
        var queue = queues.removeValue(forKey: name) ?? PartitionQueue()
        var batch: PendingBatch
        if let last = queue.batches.last, last.sealed == nil,
            last.byteCount + size <= settings.batchBytes,
            let open = queue.batches.popLast()
        {
            batch = open
        } else {
            // The next batch without a key goes elsewhere (KIP-480).
            if !queue.batches.isEmpty { sticky[record.topic] = nil }
            batch = PendingBatch(since: since)
        }
        batch.add(record, ticket, size)
        queue.batches.append(batch)
        queues[name] = queue
    }

    private mutating func partition(for record: ProducerRecord, among count: Int32) -> Int32 {
        if let partition = record.partition { return partition }
        if let key = record.key {
            return key.withUnsafeBytes { Hashes.partition(forKey: $0, count: count) }
        }
        if let chosen = sticky[record.topic], chosen < count { return chosen }
        let chosen = Int32.random(in: 0..<count, using: &random)
        sticky[record.topic] = chosen
        return chosen
    }

    /// Gives partitions to records whose topic has become known.
    private mutating func place(at now: Instant, into effects: inout [Effect]) {
        for topic in unplaced.keys.sorted() {
            if let count = metadata.partitionCount(of: topic) {
                guard let batch = unplaced.removeValue(forKey: topic) else { continue }
                for (record, ticket) in zip(batch.records, batch.tickets) {
                    put(
                        record, ticket, record.byteCount, among: count, since: batch.since,
                        at: now, into: &effects)
                }
            } else if let error = metadata.topics[topic]?.error, error != .none,
                !error.isRetriable, let batch = unplaced.removeValue(forKey: topic)
            {
                settle(
                    NamedPartition(topic, -1), batch, at: now, .failure(.refused(error, topic)),
                    into: &effects)
            }
        }
    }

    // MARK: sending

    private mutating func token() -> RequestToken {
        lastToken += 1
        return lastToken
    }

    private mutating func ask(at now: Instant, into effects: inout [Effect]) {
        if let request = metadata.request(at: now, token: lastToken + 1) {
            effects.append(.send(token(), .any, request))
        }
        guard isNumbering, producer.id < 0, idToken == nil, now >= idNotBefore,
            !queues.isEmpty || !unplaced.isEmpty
        else { return }
        var request = InitProducerIdRequest()
        // Absent, not empty: an empty one would be refused.
        request.transactionalId = nil
        request.transactionTimeoutMs = 60_000
        let token = token()
        idToken = token
        effects.append(.send(token, .any, .initProducerID(request)))
    }

    private mutating func drain(at now: Instant, into effects: inout [Effect]) {
        let ready = queues.filter {
            $0.value.isReady(
                at: now, linger: settings.linger, batchBytes: settings.batchBytes,
                flushing: isFlushing)
        }
        guard !ready.isEmpty else { return }
        var byLeader: [NodeID: [NamedPartition]] = [:]
        for partition in ready.keys.sorted() {
            guard let leader = metadata.leader(of: partition) else {
                metadata.invalidate()
                continue
            }
            if isNumbering, producer.id < 0, queues[partition]?.batches.first?.sealed == nil {
                continue
            }
            byLeader[leader, default: []].append(partition)
        }
        for leader in byLeader.keys.sorted() {
            var rest = (byLeader[leader] ?? [])[...]
            while !rest.isEmpty, inFlight[leader, default: 0] < settings.inFlightMax {
                send(&rest, to: leader, into: &effects)
            }
        }
        ask(at: now, into: &effects)
    }

    /// Sends the first batches of as many partitions as a request holds.
    private mutating func send(
        _ rest: inout ArraySlice<NamedPartition>, to leader: NodeID, into effects: inout [Effect]
    ) {
        var records: [(NamedPartition, [UInt8])] = []
        var size = 0
        while let partition = rest.first, let bytes = seal(partition) {
            guard records.isEmpty || size + bytes.count <= settings.requestBytes else { break }
            rest.removeFirst()
            size += bytes.count
            records.append((partition, bytes))
            queues[partition]?.isInFlight = true
        }
        var request = ProduceRequest()
        request.acks = settings.acks
        request.timeoutMs = settings.requestTimeoutMs
        request.topicData = PartitionList.byTopic(records).map { name, partitions in
            var topic = ProduceRequest.TopicData()
            topic.name = name
            topic.partitionData = partitions.map { index, bytes in
                var data = ProduceRequest.TopicData.PartitionData()
                data.index = index
                data.records = .bytes(bytes)
                return data
            }
            return topic
        }
        let token = token()
        inFlight[leader, default: 0] += 1
        calls[token] = Call(node: leader, partitions: records.map(\.0))
        effects.append(.send(token, .node(leader), .produce(request)))
    }

    /// The bytes of a partition's first batch, closed now if it was open.
    private mutating func seal(_ partition: NamedPartition) -> [UInt8]? {
        guard let first = queues[partition]?.batches.first else { return nil }
        if first.sealed == nil {
            let stamp = isNumbering ? producer : .none
            queues[partition]?.seal(stamp, codec: settings.codec, contexts: contexts)
        }
        return queues[partition]?.batches.first?.sealed?.bytes
    }

    // MARK: answers

    private mutating func answered(
        _ token: RequestToken, _ response: ClientResponse, at now: Instant,
        into effects: inout [Effect]
    ) {
        switch response {
        case .metadata(let answer): _ = metadata.answered(token, answer, at: now)
        case .initProducerID(let answer):
            guard token == idToken else { return }
            let error = ErrorCode(rawValue: answer.errorCode)
            guard error == .none, answer.producerId >= 0 else {
                return noID(.refused(error, "a producer id"), at: now, into: &effects)
            }
            idToken = nil
            idAttempts = 0
            producer = BatchProducer(
                id: answer.producerId, epoch: answer.producerEpoch, baseSequence: -1)
        case .produce(let answer): produced(token, answer, at: now, into: &effects)
        default: break
        }
    }

    private mutating func produced(
        _ token: RequestToken, _ answer: ProduceResponse, at now: Instant,
        into effects: inout [Effect]
    ) {
        guard let call = finish(token) else { return }
        var left = Set(call.partitions)
        for topic in answer.responses {
            for part in topic.partitionResponses {
                let partition = NamedPartition(topic.name, part.index)
                guard left.remove(partition) != nil else { continue }
                let code = ErrorCode(rawValue: part.errorCode)
                if code == .none || code == .duplicateSequenceNumber {
                    // A duplicate was written by an earlier attempt: that is what was asked for.
                    succeed(partition, Offset(part.baseOffset), at: now, into: &effects)
                } else {
                    let error = ClientError.refused(code, part.errorMessage ?? "\(partition)")
                    fail(partition, error, at: now, into: &effects)
                }
            }
        }
        for partition in left.sorted() {
            if settings.acks == 0 {
                succeed(partition, .none, at: now, into: &effects)
                continue
            }
            fail(partition, .malformed("no answer for \(partition)"), at: now, into: &effects)
        }
    }

    private mutating func failed(
        _ token: RequestToken, _ error: ClientError, at now: Instant, into effects: inout [Effect]
    ) {
        if metadata.failed(token) { return }
        if token == idToken { return noID(error, at: now, into: &effects) }
        guard let call = finish(token) else { return }
        for partition in call.partitions { fail(partition, error, at: now, into: &effects) }
    }

    private mutating func finish(_ token: RequestToken) -> Call? {
        guard let call = calls.removeValue(forKey: token) else { return nil }
        inFlight[call.node, default: 1] -= 1
        for partition in call.partitions { queues[partition]?.isInFlight = false }
        return call
    }

    /// There is no producer id: what waits for one fails if none will come.
    private mutating func noID(
        _ error: ClientError, at now: Instant, into effects: inout [Effect]
    ) {
        idToken = nil
        idAttempts += 1
        idNotBefore = now + settings.backoff.delay(attempt: idAttempts, random: &random)
        guard !error.isRetriable else { return }
        for partition in queues.keys.sorted() where queues[partition]?.isInFlight == false {
            giveUp(partition, error, at: now, into: &effects)
        }
    }

    private mutating func succeed(
        _ partition: NamedPartition, _ offset: Offset, at now: Instant,
        into effects: inout [Effect]
    ) {
        guard let batch = queues[partition]?.batches.popFirst() else { return }
        settle(partition, batch, at: now, .success(offset), into: &effects)
    }

    /// The first batch of a partition failed: it is repeated later, or given up.
    private mutating func fail(
        _ partition: NamedPartition, _ error: ClientError, at now: Instant,
        into effects: inout [Effect]
    ) {
        if error.isStaleMetadata { metadata.invalidate() }
        guard var batch = queues[partition]?.batches.popFirst() else { return }
        guard error.isRetriable else {
            queues[partition]?.batches.prepend(batch)
            return giveUp(partition, error, at: now, into: &effects)
        }
        batch.sealed?.attempts += 1
        let attempt = batch.sealed?.attempts ?? 1
        queues[partition]?.batches.prepend(batch)
        queues[partition]?.notBefore =
            now + settings.backoff.delay(attempt: attempt, random: &random)
    }

    private mutating func giveUp(
        _ partition: NamedPartition, _ error: ClientError, at now: Instant,
        into effects: inout [Effect]
    ) {
        guard let batch = queues[partition]?.batches.popFirst() else { return }
        // Its sequence will never come: a later one would be out of order.
        if batch.sealed?.isNumbered == true, queues[partition]?.producer.id == producer.id {
            producer = .none
        }
        settle(partition, batch, at: now, .failure(error), into: &effects)
    }

    private mutating func expire(at now: Instant, into effects: inout [Effect]) {
        for partition in queues.keys.sorted() {
            while let queue = queues[partition], !queue.isInFlight,
                let first = queue.batches.first, now >= first.since + settings.deliveryTimeout
            {
                giveUp(
                    partition, .timedOut("delivery to \(partition)"), at: now, into: &effects)
            }
        }
        for topic in unplaced.keys.sorted() {
            guard let batch = unplaced[topic], now >= batch.since + settings.deliveryTimeout else {
                continue
            }
            unplaced[topic] = nil
            let known = metadata.topics[topic]?.error ?? .none
            let error: ClientError =
                known == .none ? .timedOut("metadata of \(topic)") : .refused(known, topic)
            settle(NamedPartition(topic, -1), batch, at: now, .failure(error), into: &effects)
        }
    }

    private mutating func settle(
        _ partition: NamedPartition, _ batch: PendingBatch, at now: Instant,
        _ result: Result<Offset, ClientError>, into effects: inout [Effect]
    ) {
        settle(
            partition, batch.tickets, batch.byteCount, batch.since, at: now, result, into: &effects)
    }

    private mutating func settle(
        _ partition: NamedPartition, _ tickets: [UInt64], _ size: Int, _ since: Instant,
        at now: Instant, _ result: Result<Offset, ClientError>, into effects: inout [Effect]
    ) {
        bufferedBytes -= size
        effects.append(
            .delivered(
                Delivery(
                    partition: partition, tickets: tickets, byteCount: size, latency: now - since,
                    result: result)))
    }
}

extension PendingBatch {
    mutating func add(_ record: ProducerRecord, _ ticket: UInt64, _ size: Int) {
        records.append(record)
        tickets.append(ticket)
        byteCount += size
    }
}
