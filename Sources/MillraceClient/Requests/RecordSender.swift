package import MillraceBase
internal import MillraceProtocol
package import MillraceRecords

/// Sends records in batches, one batch of a partition on its way at a time, so that neither a retry
/// nor a lost answer changes their order or writes them twice (an idempotent producer, KIP-98).
package final class RecordSender {
    /// How records are sent.
    package struct Settings: Sendable {
        package var topic: String
        /// −1: all replicas that are in sync; 0: nobody answers.
        package var acks: Int16 = -1
        package var codec = CompressionCodec.none
        package var isIdempotent = true
        /// Uncompressed bytes of a batch.
        package var batchBytesMax = 512 << 10
        /// Batches that wait, all partitions together, before `send` waits.
        package var batchesMax = 64
        /// How long a batch is tried.
        package var deliveryTimeout: Duration = .seconds(30)

        package init(topic: String) { self.topic = topic }
    }

    /// What one batch had.
    package struct Delivery: Sendable {
        package var partition: Int32
        package var baseOffset: Int64
        package var count: Int32
        /// From the last record's `send` to the answer.
        package var latency: Duration
    }

    private struct Batch {
        var bytes: [UInt8]
        var count: Int32
        var sequence: Int32
        var deadline: Instant
        var sentAt: Instant
    }

    /// A partition's records: those of the batch that is open, and batches that are finished.
    private final class Lane {
        let index: Int32
        var builder: BatchBuilder?
        var waiting = Deque<Batch>()
        var isInFlight = false
        var retryAt = Instant.zero
        var sequence: Int32 = 0
        init(_ index: Int32) { self.index = index }
    }

    private let client: RequestClient
    private let settings: Settings
    private let contexts = CodecContexts()
    private var lanes: [Lane] = []
    private var leaders: [Int32] = []
    private var producer: (id: Int64, epoch: Int16)?
    private var sticky: Int32 = 0
    private var failure: RequestError?
    /// A leader did not answer, or is none any more: asked for outside of the loop's callbacks.
    private var needsLeaders = false
    private var waitingBatches = 0
    /// Called for each batch that was taken.
    package var delivered: ((Delivery) -> Void)?

    /// Finds the topic, making it where brokers make topics on demand.
    package init(_ client: RequestClient, _ settings: Settings) throws(RequestError) {
        (self.client, self.settings) = (client, settings)
        try findLeaders()
        sticky = Int32.random(in: 0..<Int32(max(lanes.count, 1)))
        if settings.isIdempotent, settings.acks != 0 {
            var request = InitProducerIdRequest()
            request.transactionalId = nil
            request.transactionTimeoutMs = 60000
            let answer = try retrying { () throws(RequestError) in
                let answer = try client.ask(
                    request, .initProducerId, as: InitProducerIdResponse.self, versionMax: 5)
                return (answer.body, ErrorCode(rawValue: answer.body.errorCode))
            }
            producer = (answer.producerId, answer.producerEpoch)
        }
    }

    package var partitionCount: Int32 { Int32(lanes.count) }

    private func retrying<R>(
        _ body: () throws(RequestError) -> (R, ErrorCode)
    ) throws(RequestError) -> R {
        let deadline = client.now + settings.deliveryTimeout
        while true {
            let (result, error) = try body()
            if error == .none { return result }
            guard error.isRetriable, try client.pause(.milliseconds(100), until: deadline) else {
                throw .malformed("topic \(settings.topic): \(error)")
            }
        }
    }

    private func findLeaders() throws(RequestError) {
        let found = try retrying { () throws(RequestError) in
            let answer = try client.metadata(topics: [settings.topic], creating: true)
            let topic = answer.topics.first
            var error = ErrorCode(rawValue: topic?.errorCode ?? -1)
            // A topic that is being made is unknown for a moment.
            if error == .none, topic?.partitions.contains(where: { $0.leaderId < 0 }) ?? true {
                error = .leaderNotAvailable
            }
            return (topic, error)
        }
        leaders = []
        for partition in (found?.partitions ?? []).sorted(by: {
            $0.partitionIndex < $1.partitionIndex
        }) {
            leaders.append(partition.leaderId)
            if lanes.count < leaders.count { lanes.append(Lane(partition.partitionIndex)) }
        }
    }

    // MARK: records

    /// Adds a record; waits while too many batches wait.
    /// - Parameter partition: nil: by the key, or any.
    package func send(
        key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader] = [], timestamp: Timestamp,
        partition: Int32? = nil
    ) throws(RequestError) {
        let index = try choose(key, partition)
        let lane = lanes[Int(index)]
        let bytes = BatchBuilder.bytesMax(
            key: key?.count ?? 0, value: value?.count ?? 0, headers: headers)
        if let size = lane.builder?.byteCount, size + bytes > settings.batchBytesMax {
            close(lane)
            if key == nil, partition == nil { sticky = (index + 1) % partitionCount }
        }
        if lane.builder == nil {
            lane.builder = BatchBuilder(
                producer: producer.map {
                    BatchProducer(id: $0.id, epoch: $0.epoch, baseSequence: lane.sequence)
                } ?? .none)
        }
        lane.builder?.append(timestamp: timestamp, key: key, value: value, headers: headers)
        try work()
        while waitingBatches > settings.batchesMax { try wait() }
    }

    private func choose(_ key: [UInt8]?, _ partition: Int32?) throws(RequestError) -> Int32 {
        if let partition {
            guard lanes.indices.contains(Int(partition)) else {
                throw .settings(
                    "topic \(settings.topic) has no partition \(partition): it has \(lanes.count)")
            }
            return partition
        }
        guard let key else { return sticky }
        return key.withUnsafeBytes { Hashes.partition(forKey: $0, count: partitionCount) }
    }

    private func close(_ lane: Lane) {
        guard let builder = lane.builder.take() else { return }
        let count = builder.count
        let sequence = lane.sequence
        let bytes = builder.finish(codec: settings.codec, contexts: contexts)
        lane.sequence = Int32(
            truncatingIfNeeded: (Int64(lane.sequence) + Int64(count)) & 0x7FFF_FFFF)
        let now = client.now
        lane.waiting.append(
            Batch(
                bytes: bytes, count: count, sequence: sequence,
                deadline: now + settings.deliveryTimeout, sentAt: now))
        waitingBatches += 1
    }

    /// Sends what is there and waits until all of it is answered.
    package func flush() throws(RequestError) {
        for lane in lanes { close(lane) }
        while waitingBatches > 0 { try wait() }
        if let failure { throw failure }
    }

    /// Sends what is there without waiting.
    package func push() throws(RequestError) {
        for lane in lanes { close(lane) }
        try work()
    }

    /// Lets answers come, for a moment.
    package func wait(_ limit: Duration = .milliseconds(100)) throws(RequestError) {
        try work()
        _ = try client.turn(until: client.now + limit)
        try work()
    }

    // MARK: batches

    private func work() throws(RequestError) {
        if let failure { throw failure }
        if needsLeaders { try askForLeaders() }
        for lane in lanes where !lane.isInFlight {
            guard let batch = lane.waiting.first, lane.retryAt <= client.now else { continue }
            lane.isInFlight = true
            do throws(RequestError) {
                try begin(batch, lane)
            } catch {
                failed(lane, error)
            }
        }
        if let failure { throw failure }
    }

    /// While nobody can be asked the batches' own time decides.
    private func askForLeaders() throws(RequestError) {
        needsLeaders = false
        do throws(RequestError) {
            let found = try client.metadata(topics: [settings.topic])
            for partition in found.topics.first?.partitions ?? []
            where leaders.indices.contains(Int(partition.partitionIndex))
                && partition.leaderId >= 0
            {
                leaders[Int(partition.partitionIndex)] = partition.leaderId
            }
        } catch .unreachable {
            return
        } catch .timedOut {
            return
        }
    }

    private func begin(_ batch: Batch, _ lane: Lane) throws(RequestError) {
        var request = ProduceRequest()
        request.acks = settings.acks
        request.timeoutMs = 30000
        var topic = ProduceRequest.TopicData()
        topic.name = settings.topic
        var partition = ProduceRequest.TopicData.PartitionData()
        partition.index = lane.index
        partition.records = .bytes(batch.bytes)
        topic.partitionData = [partition]
        request.topicData = [topic]
        let leader = RequestClient.Target.node(leaders[Int(lane.index)])
        // From version 13 on topics have ids instead of names.
        guard settings.acks != 0 else {
            try client.tell(request, .produce, of: leader, versionMax: 12)
            return done(lane, offset: -1)
        }
        try client.begin(
            request, .produce, as: ProduceResponse.self, of: leader, versionMax: 12
        ) { [unowned self] result in
            switch result {
            case .success(let answer):
                answered(lane, answer.body.responses.first?.partitionResponses.first)
            case .failure(let error): failed(lane, error)
            }
        }
    }

    private func answered(
        _ lane: Lane, _ answer: ProduceResponse.Response.PartitionResponse?
    ) {
        let error = ErrorCode(rawValue: answer?.errorCode ?? -1)
        // A repeat of a batch that was taken before is as good as taken now.
        if error == .none || error == .duplicateSequenceNumber {
            return done(lane, offset: answer?.baseOffset ?? -1)
        }
        let words = answer?.errorMessage.map { ": \($0)" } ?? ""
        let text = "topic \(settings.topic), partition \(lane.index): \(error)\(words)"
        error.isRetriable ? failed(lane, .unreachable("the leader", text)) : fail(.malformed(text))
    }

    private func done(_ lane: Lane, offset: Int64) {
        lane.isInFlight = false
        guard let batch = lane.waiting.popFirst() else { return }
        waitingBatches -= 1
        delivered?(
            Delivery(
                partition: lane.index, baseOffset: offset, count: batch.count,
                latency: client.now - batch.sentAt))
    }

    /// Tries again after a moment, until the batch's time is over.
    private func failed(_ lane: Lane, _ error: RequestError) {
        lane.isInFlight = false
        guard let batch = lane.waiting.first, client.now < batch.deadline else {
            return fail(error)
        }
        switch error {
        case .unreachable, .timedOut: break
        default: return fail(error)
        }
        lane.retryAt = client.now + .milliseconds(100)
        needsLeaders = true
    }

    private func fail(_ error: RequestError) { failure = failure ?? error }
}
