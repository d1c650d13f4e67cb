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
        /// Places of the partitions' queues.
        var places: [Int]
    }

    /// Where records of one topic go that follow each other: each thing is looked up once.
    private struct Cursor {
        let topic: String
        let partitionCount: Int32
        /// For records without a key.
        var chosen: Int32?
        var last: (index: Int32, place: Int)?
    }

    package let settings: ProducerSettings
    private var metadata: MetadataCache
    /// Of the partitions that have had records; each keeps its place.
    private var queues: [PartitionQueue] = []
    private var places: [NamedPartition: Int] = [:]
    /// Records of topics whose partitions are not known yet.
    private var unplaced: [String: UnplacedRecords] = [:]
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
            var start = 0
            while start < records.count {
                let run = Self.run(in: records, from: start)
                append(run, of: records, tickets, timestamp, at: now, into: &effects)
                start = run.upperBound
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
        for queue in queues {
            // What lacks a leader or an id goes on with the answer that brings it.
            let lacksID = isNumbering && producer.id < 0 && queue.first?.sealed == nil
            if metadata.leader(of: queue.name) != nil, !lacksID {
                next = min(next, queue.deadline(linger: isFlushing ? .zero : settings.linger))
            }
            if let first = queue.first {
                next = min(next, first.since + settings.deliveryTimeout)
            }
        }
        for batch in unplaced.values { next = min(next, batch.since + settings.deliveryTimeout) }
        return next
    }

    // MARK: gathering

    /// The records from `start` on that are of one topic.
    private static func run(in records: [ProducerRecord], from start: Int) -> Range<Int> {
        var end = start + 1
        while end < records.count, records[end].topic == records[start].topic { end += 1 }
        return start..<end
    }

    /// Takes a run of records.
    private mutating func append(
        _ run: Range<Int>, of records: [ProducerRecord], _ tickets: [UInt64],
        _ timestamp: Timestamp, at now: Instant, into effects: inout [Effect]
    ) {
        let topic = records[run.lowerBound].topic
        metadata.want(topic)
        guard unplaced[topic] == nil, var cursor = cursor(of: topic) else {
            for index in run {
                let record = records[index]
                let size = record.byteCount
                guard admit(record, size, tickets[index], into: &effects) else { continue }
                unplaced[topic, default: UnplacedRecords(since: now)]
                    .add(record, tickets[index], size, timestamp)
            }
            return
        }
        for index in run {
            // One copy of each: more would count.
            let record = records[index]
            let size = record.byteCount
            guard admit(record, size, tickets[index], into: &effects) else { continue }
            put(
                record, tickets[index], size, timestamp, since: now, at: now, &cursor,
                into: &effects)
        }
        sticky[topic] = cursor.chosen
    }

    /// - Returns: whether the record has room; it is refused if not.
    private mutating func admit(
        _ record: ProducerRecord, _ size: Int, _ ticket: UInt64,
        into effects: inout [Effect]
    ) -> Bool {
        guard bufferedBytes + size <= settings.bufferBytes else {
            let delivery = Delivery(
                partition: NamedPartition(record.topic, record.partition ?? -1), tickets: [ticket],
                byteCount: size, result: .failure(.bufferFull))
            effects.append(.delivered(delivery))
            return false
        }
        bufferedBytes += size
        return true
    }

    /// Nil while the topic's partitions are not known.
    private func cursor(of topic: String) -> Cursor? {
        guard let count = metadata.partitionCount(of: topic) else { return nil }
        return Cursor(
            topic: topic, partitionCount: count,
            chosen: sticky[topic].flatMap { $0 < count ? $0 : nil })
    }

    private mutating func put(
        _ record: ProducerRecord, _ ticket: UInt64, _ size: Int, _ timestamp: Timestamp,
        since: Instant, at now: Instant, _ cursor: inout Cursor, into effects: inout [Effect]
    ) {
        let index = partition(for: record, &cursor)
        guard index >= 0, index < cursor.partitionCount else {
            let error = ClientError.refused(
                .unknownTopicOrPartition,
                "\(cursor.topic) has \(cursor.partitionCount) partitions")
            return settle(
                NamedPartition(cursor.topic, index), [ticket], size, now - since, .failure(error),
                into: &effects)
        }
        let place: Int
        if let last = cursor.last, last.index == index {
            place = last.place
        } else {
            place = self.place(of: NamedPartition(cursor.topic, index))
            cursor.last = (index, place)
        }
        let isBehind = queues[place].add(
            record, ticket, size, timestamp, batchBytes: settings.batchBytes, since: since)
        // The next batch without a key goes elsewhere (KIP-480).
        if isBehind { cursor.chosen = nil }
    }

    private mutating func partition(
        for record: ProducerRecord, _ cursor: inout Cursor
    ) -> Int32 {
        if let partition = record.partition { return partition }
        if let key = record.key {
            return key.withUnsafeBytes {
                Hashes.partition(forKey: $0, count: cursor.partitionCount)
            }
        }
        if let chosen = cursor.chosen { return chosen }
        let chosen = Int32.random(in: 0..<cursor.partitionCount, using: &random)
        cursor.chosen = chosen
        return chosen
    }

    private mutating func place(of partition: NamedPartition) -> Int {
        if let place = places[partition] { return place }
        let place = queues.count
        places[partition] = place
        queues.append(PartitionQueue(partition))
        return place
    }

    /// Gives partitions to records whose topic has become known.
    private mutating func place(at now: Instant, into effects: inout [Effect]) {
        for topic in unplaced.keys.sorted() {
            if var cursor = cursor(of: topic) {
                guard let batch = unplaced.removeValue(forKey: topic) else { continue }
                for (record, ticket) in zip(batch.records, batch.tickets) {
                    put(
                        record, ticket, record.byteCount, record.timestamp, since: batch.since,
                        at: now, &cursor, into: &effects)
                }
                sticky[topic] = cursor.chosen
            } else if let error = metadata.topics[topic]?.error, error != .none,
                !error.isRetriable, let batch = unplaced.removeValue(forKey: topic)
            {
                settle(
                    NamedPartition(topic, -1), batch.tickets, batch.byteCount, now - batch.since,
                    .failure(.refused(error, topic)), into: &effects)
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
        let ready = queues.indices.filter {
            queues[$0].isReady(
                at: now, linger: settings.linger, batchBytes: settings.batchBytes,
                flushing: isFlushing)
        }
        guard !ready.isEmpty else { return }
        var byLeader: [NodeID: [Int]] = [:]
        for place in ready {
            guard let leader = metadata.leader(of: queues[place].name) else {
                metadata.invalidate()
                continue
            }
            if isNumbering, producer.id < 0, queues[place].first?.sealed == nil { continue }
            byLeader[leader, default: []].append(place)
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
        _ rest: inout ArraySlice<Int>, to leader: NodeID, into effects: inout [Effect]
    ) {
        var call = Call(node: leader, places: [])
        var records: [(NamedPartition, [UInt8])] = []
        var size = 0
        let stamp = isNumbering ? producer : .none
        while let place = rest.first,
            let bytes = queues[place].seal(stamp, codec: settings.codec, contexts: contexts)
        {
            guard records.isEmpty || size + bytes.count <= settings.requestBytes else { break }
            rest.removeFirst()
            size += bytes.count
            call.places.append(place)
            records.append((queues[place].name, bytes))
            queues[place].isInFlight = true
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
        calls[token] = call
        effects.append(.send(token, .node(leader), .produce(request)))
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
        var left = Dictionary(
            uniqueKeysWithValues: call.places.map { (queues[$0].name, $0) })
        for topic in answer.responses {
            for part in topic.partitionResponses {
                let partition = NamedPartition(topic.name, part.index)
                guard let place = left.removeValue(forKey: partition) else { continue }
                let code = ErrorCode(rawValue: part.errorCode)
                if code == .none || code == .duplicateSequenceNumber {
                    // A duplicate was written by an earlier attempt: that is what was asked for.
                    succeed(place, Offset(part.baseOffset), at: now, into: &effects)
                } else {
                    let error = ClientError.refused(code, part.errorMessage ?? "\(partition)")
                    fail(place, error, at: now, into: &effects)
                }
            }
        }
        for (partition, place) in left.sorted(by: { $0.value < $1.value }) {
            if settings.acks == 0 {
                succeed(place, .none, at: now, into: &effects)
                continue
            }
            fail(place, .malformed("no answer for \(partition)"), at: now, into: &effects)
        }
    }

    private mutating func failed(
        _ token: RequestToken, _ error: ClientError, at now: Instant, into effects: inout [Effect]
    ) {
        if metadata.failed(token) { return }
        if token == idToken { return noID(error, at: now, into: &effects) }
        guard let call = finish(token) else { return }
        for place in call.places { fail(place, error, at: now, into: &effects) }
    }

    private mutating func finish(_ token: RequestToken) -> Call? {
        guard let call = calls.removeValue(forKey: token) else { return nil }
        inFlight[call.node, default: 1] -= 1
        for place in call.places { queues[place].isInFlight = false }
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
        for place in queues.indices where !queues[place].isInFlight {
            giveUp(place, error, at: now, into: &effects)
        }
    }

    private mutating func succeed(
        _ place: Int, _ offset: Offset, at now: Instant,
        into effects: inout [Effect]
    ) {
        guard let batch = queues[place].popFirst() else { return }
        settle(
            queues[place].name, batch.tickets, batch.byteCount, now - batch.since,
            .success(offset), into: &effects)
    }

    /// The first batch of a partition failed: it is repeated later, or given up.
    private mutating func fail(
        _ place: Int, _ error: ClientError, at now: Instant,
        into effects: inout [Effect]
    ) {
        if error.isStaleMetadata { metadata.invalidate() }
        guard var batch = queues[place].popFirst() else { return }
        guard error.isRetriable else {
            queues[place].prepend(batch)
            return giveUp(place, error, at: now, into: &effects)
        }
        batch.sealed?.attempts += 1
        let attempt = batch.sealed?.attempts ?? 1
        queues[place].prepend(batch)
        queues[place].notBefore =
            now + settings.backoff.delay(attempt: attempt, random: &random)
    }

    private mutating func giveUp(
        _ place: Int, _ error: ClientError, at now: Instant,
        into effects: inout [Effect]
    ) {
        guard let batch = queues[place].popFirst() else { return }
        // Its sequence will never come: a later one would be out of order.
        if batch.sealed?.isNumbered == true, queues[place].producer.id == producer.id {
            producer = .none
        }
        settle(
            queues[place].name, batch.tickets, batch.byteCount, now - batch.since,
            .failure(error), into: &effects)
    }

    private mutating func expire(at now: Instant, into effects: inout [Effect]) {
        for place in queues.indices {
            while !queues[place].isInFlight, let first = queues[place].first,
                now >= first.since + settings.deliveryTimeout
            {
                let error = ClientError.timedOut("delivery to \(queues[place].name)")
                giveUp(place, error, at: now, into: &effects)
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
            settle(
                NamedPartition(topic, -1), batch.tickets, batch.byteCount, now - batch.since,
                .failure(error), into: &effects)
        }
    }

    private mutating func settle(
        _ partition: NamedPartition, _ tickets: [UInt64], _ size: Int, _ latency: Duration,
        _ result: Result<Offset, ClientError>, into effects: inout [Effect]
    ) {
        bufferedBytes -= size
        effects.append(
            .delivered(
                Delivery(
                    partition: partition, tickets: tickets, byteCount: size, latency: latency,
                    result: result)))
    }
}
