package import MillraceBase
internal import MillraceProtocol
internal import MillraceRecords

/// Decides what a consumer fetches and from where: positions, one fetch at a time to each leader,
/// start offsets, what to do when an offset is gone. One per consumer; owned by its loop.
///
/// A position moves when a batch has come; `taken` says when the user has it, which makes room.
package struct ConsumerCore {
    package enum Event {
        /// These partitions and no others from now on; one that stays keeps its position.
        case assigned([NamedPartition: StartPosition])
        case sought(NamedPartition, StartPosition)
        /// So many fetched bytes have left the buffer.
        case taken(bytes: Int)
        case answered(RequestToken, ClientResponse)
        case failed(RequestToken, ClientError)
        case tick
    }

    package enum Effect: Equatable {
        case send(RequestToken, RequestTarget, ClientRequest)
        case fetched(FetchedRecords)
        /// The partition is not read any further until it is sought or assigned anew.
        case stopped(NamedPartition, ClientError)
        /// Nothing more was there when it was asked: the position has reached the end.
        case reachedEnd(NamedPartition, Offset)
    }

    private enum Position: Equatable {
        case unknown(StartPosition)
        case at(Offset)
        case stopped
    }

    private struct Partition {
        var position: Position
        /// Raised by each seek: answers to what was asked before are dropped.
        var generation: UInt64
        var isAsked = false
        var notBefore = Instant.zero
        var attempts = 0
    }

    private struct Call {
        var node: NodeID
        var isFetch: Bool
        var generations: [NamedPartition: UInt64]
    }

    package let settings: ConsumerSettings
    private var metadata: MetadataCache
    private var partitions: [NamedPartition: Partition] = [:]
    private var calls: [RequestToken: Call] = [:]
    private var fetching: Set<NodeID> = []
    private var bufferedBytes = 0
    private var lastToken: RequestToken = 0
    private var lastGeneration: UInt64 = 0
    private var random: SeededGenerator

    package init(_ settings: ConsumerSettings, seed: UInt64) {
        self.settings = settings
        metadata = MetadataCache(retryDelay: settings.backoff.first)
        random = SeededGenerator(seed: seed)
    }

    package mutating func step(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        switch event {
        case .assigned(let starts): assign(starts)
        case .sought(let partition, let start):
            guard partitions[partition] != nil else { return }
            partitions[partition] = begin(at: start)
        case .taken(let bytes):
            precondition(bytes <= bufferedBytes, "only what was fetched can be taken")
            bufferedBytes -= bytes
        case .answered(let token, let response):
            answered(token, response, at: now, into: &effects)
        case .failed(let token, let error): failed(token, error, at: now, into: &effects)
        case .tick: break
        }
        ask(at: now, into: &effects)
    }

    /// When `tick` is next needed.
    package var deadline: Instant {
        var next = metadata.deadline
        for partition in partitions.values
        where !partition.isAsked && partition.position != .stopped {
            // What waits for its leader's fetch to come back goes on with that answer.
            if partition.notBefore > .zero { next = min(next, partition.notBefore) }
        }
        return next
    }

    // MARK: positions

    private mutating func begin(at start: StartPosition) -> Partition {
        lastGeneration += 1
        var position = Position.unknown(start)
        if case .offset(let offset) = start { position = .at(offset) }
        return Partition(position: position, generation: lastGeneration)
    }

    private mutating func assign(_ starts: [NamedPartition: StartPosition]) {
        let before = partitions
        partitions = [:]
        for (partition, start) in starts.sorted(by: { $0.key < $1.key }) {
            partitions[partition] = before[partition] ?? begin(at: start)
        }
        metadata.want(only: Set(starts.keys.map(\.topic)))
    }

    // MARK: requests

    private mutating func token() -> RequestToken {
        lastToken += 1
        return lastToken
    }

    private mutating func ask(at now: Instant, into effects: inout [Effect]) {
        var fetches: [NodeID: [(NamedPartition, Offset)]] = [:]
        var lookups: [NodeID: [(NamedPartition, StartPosition)]] = [:]
        for (name, partition) in partitions.sorted(by: { $0.key < $1.key })
        where !partition.isAsked && now >= partition.notBefore && partition.position != .stopped {
            guard let leader = metadata.leader(of: name) else {
                noLeader(of: name, at: now, into: &effects)
                continue
            }
            switch partition.position {
            case .at(let offset): fetches[leader, default: []].append((name, offset))
            case .unknown(let start): lookups[leader, default: []].append((name, start))
            case .stopped: break
            }
        }
        for node in lookups.keys.sorted() {
            lookUp(lookups[node] ?? [], at: node, into: &effects)
        }
        for node in fetches.keys.sorted()
        where !fetching.contains(node) && bufferedBytes < settings.bufferBytes {
            fetch(fetches[node] ?? [], from: node, into: &effects)
        }
        if let request = metadata.request(at: now, token: lastToken + 1) {
            effects.append(.send(token(), .any, request))
        }
    }

    private mutating func noLeader(
        of name: NamedPartition, at now: Instant, into effects: inout [Effect]
    ) {
        if let topic = metadata.topics[name.topic] {
            if topic.error != .none, !topic.error.isRetriable {
                return stop(name, .refused(topic.error, name.topic), into: &effects)
            }
            if topic.error == .none, Int(name.index) >= topic.leaders.count {
                let error = ClientError.refused(.unknownTopicOrPartition, "\(name)")
                return stop(name, error, into: &effects)
            }
        }
        metadata.invalidate()
    }

    private mutating func fetch(
        _ wanted: [(NamedPartition, Offset)], from node: NodeID, into effects: inout [Effect]
    ) {
        var request = FetchRequest()
        request.maxWaitMs = settings.maxWaitMs
        request.minBytes = settings.minBytes
        request.maxBytes = settings.fetchBytes
        request.topics = PartitionList.byTopic(wanted).map { name, partitions in
            var topic = FetchRequest.Topic()
            topic.topic = name
            topic.partitions = partitions.map { index, offset in
                var partition = FetchRequest.Topic.Partition()
                partition.partition = index
                partition.fetchOffset = offset.rawValue
                partition.partitionMaxBytes = settings.partitionBytes
                return partition
            }
            return topic
        }
        fetching.insert(node)
        begin(.fetch(request), of: wanted.map(\.0), at: node, isFetch: true, into: &effects)
    }

    private mutating func lookUp(
        _ wanted: [(NamedPartition, StartPosition)], at node: NodeID, into effects: inout [Effect]
    ) {
        let request = ListOffsetsRequest(wanted)
        begin(
            .listOffsets(request), of: wanted.map(\.0), at: node, isFetch: false, into: &effects)
    }

    /// Sends what asks for partitions, and notes which.
    private mutating func begin(
        _ request: ClientRequest, of names: [NamedPartition], at node: NodeID, isFetch: Bool,
        into effects: inout [Effect]
    ) {
        var call = Call(node: node, isFetch: isFetch, generations: [:])
        for name in names {
            partitions[name]?.isAsked = true
            call.generations[name] = partitions[name]?.generation
        }
        let token = token()
        calls[token] = call
        effects.append(.send(token, .node(node), request))
    }

    // MARK: answers

    private mutating func finish(_ token: RequestToken) -> Call? {
        guard let call = calls.removeValue(forKey: token) else { return nil }
        if call.isFetch { fetching.remove(call.node) }
        for name in call.generations.keys where isCurrent(name, in: call) {
            partitions[name]?.isAsked = false
        }
        return call
    }

    private func isCurrent(_ name: NamedPartition, in call: Call) -> Bool {
        guard let generation = call.generations[name] else { return false }
        return partitions[name]?.generation == generation
    }

    private mutating func answered(
        _ token: RequestToken, _ response: ClientResponse, at now: Instant,
        into effects: inout [Effect]
    ) {
        switch response {
        case .metadata(let answer): _ = metadata.answered(token, answer, at: now)
        case .fetch(let answer):
            guard let call = finish(token) else { return }
            fetched(call, answer, at: now, into: &effects)
        case .listOffsets(let answer):
            guard let call = finish(token) else { return }
            for topic in answer.topics {
                for part in topic.partitions {
                    let name = NamedPartition(topic.name, part.partitionIndex)
                    guard isCurrent(name, in: call) else { continue }
                    let code = ErrorCode(rawValue: part.errorCode)
                    found(name, code, Offset(part.offset), at: now, into: &effects)
                }
            }
        default: break
        }
    }

    private mutating func found(
        _ name: NamedPartition, _ code: ErrorCode, _ offset: Offset, at now: Instant,
        into effects: inout [Effect]
    ) {
        guard code == .none else { return fail(name, code, at: now, into: &effects) }
        if offset.rawValue >= 0 {
            partitions[name]?.position = .at(offset)
            partitions[name]?.attempts = 0
        } else {
            // No record of that time or later.
            partitions[name]?.position = .unknown(.latest)
        }
    }

    private mutating func fetched(
        _ call: Call, _ answer: FetchResponse, at now: Instant, into effects: inout [Effect]
    ) {
        let whole = ErrorCode(rawValue: answer.errorCode)
        guard whole == .none else {
            for name in call.generations.keys.sorted() where isCurrent(name, in: call) {
                fail(name, whole, at: now, into: &effects)
            }
            return
        }
        for topic in answer.responses {
            for part in topic.partitions {
                let name = NamedPartition(topic.topic, part.partitionIndex)
                guard isCurrent(name, in: call), case .at(let from)? = partitions[name]?.position
                else { continue }
                let code = ErrorCode(rawValue: part.errorCode)
                guard code == .none else {
                    fail(name, code, at: now, into: &effects)
                    continue
                }
                partitions[name]?.attempts = 0
                partitions[name]?.notBefore = .zero
                guard case .bytes(let bytes)? = part.records, !bytes.isEmpty else {
                    if from.rawValue >= part.highWatermark {
                        effects.append(.reachedEnd(name, from))
                    }
                    continue
                }
                took(name, from, bytes, Offset(part.highWatermark), into: &effects)
            }
        }
    }

    private mutating func took(
        _ name: NamedPartition, _ from: Offset, _ bytes: [UInt8], _ highWatermark: Offset,
        into effects: inout [Effect]
    ) {
        let next: Offset?
        let used: Int
        do throws(RecordsError) {
            (next, used) = try Self.extent(of: bytes)
        } catch {
            return stop(name, .malformed("records of \(name): \(error)"), into: &effects)
        }
        guard let next, next > from else {
            let error = ClientError.malformed("\(name) at \(from.rawValue): no whole batch came")
            return stop(name, error, into: &effects)
        }
        partitions[name]?.position = .at(next)
        let whole = used == bytes.count ? bytes : Array(bytes[..<used])
        bufferedBytes += whole.count
        effects.append(
            .fetched(
                FetchedRecords(
                    partition: name, from: from, next: next, bytes: whole,
                    highWatermark: highWatermark)))
    }

    /// The offset after the last whole batch, and where that ends: a fetch may cut the last one.
    private static func extent(of bytes: [UInt8]) throws(RecordsError) -> (Offset?, Int) {
        let result = bytes.withUnsafeBytes { all -> Result<(Offset?, Int), RecordsError> in
            var next: Offset?
            var end = 0
            do throws(RecordsError) {
                while end + RecordBatchHeader.size <= all.count {
                    let rest = UnsafeRawBufferPointer(rebasing: all[end...])
                    let length = rest.loadUnaligned(fromByteOffset: 8, as: Int32.self).bigEndian
                    guard Int(length) + RecordBatchHeader.overhead <= rest.count else { break }
                    let header = try RecordBatchHeader(reading: rest)
                    next = header.nextOffset
                    end += header.byteCount
                }
                return .success((next, end))
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    private mutating func failed(
        _ token: RequestToken, _ error: ClientError, at now: Instant, into effects: inout [Effect]
    ) {
        if metadata.failed(token) { return }
        guard let call = finish(token) else { return }
        for name in call.generations.keys.sorted() where isCurrent(name, in: call) {
            fail(name, error, at: now, into: &effects)
        }
    }

    private mutating func fail(
        _ name: NamedPartition, _ code: ErrorCode, at now: Instant, into effects: inout [Effect]
    ) {
        if code == .offsetOutOfRange, let reset = settings.reset {
            partitions[name] = begin(at: reset)
            return
        }
        fail(name, .refused(code, "\(name)"), at: now, into: &effects)
    }

    private mutating func fail(
        _ name: NamedPartition, _ error: ClientError, at now: Instant, into effects: inout [Effect]
    ) {
        if error.isStaleMetadata { metadata.invalidate() }
        guard error.isRetriable else { return stop(name, error, into: &effects) }
        let attempt = (partitions[name]?.attempts ?? 0) + 1
        partitions[name]?.attempts = attempt
        partitions[name]?.notBefore =
            now + settings.backoff.delay(attempt: attempt, random: &random)
    }

    private mutating func stop(
        _ name: NamedPartition, _ error: ClientError, into effects: inout [Effect]
    ) {
        partitions[name]?.position = .stopped
        effects.append(.stopped(name, error))
    }
}
