package import MillraceBase
internal import MillraceProtocol
package import MillraceRecords

/// Reads partitions from their leaders, one request of a leader on its way at a time.
package final class RecordFetcher {
    /// A record as it is handed over; copied.
    package struct Record {
        package var partition: ListOffsets.Partition
        package var offset: Int64
        package var timestamp: Timestamp
        package var key: [UInt8]?
        package var value: [UInt8]?
        package var headers: [RecordHeader]
    }

    /// Bytes that a compressed batch may become.
    private static let inflatedBytesMax = 1 << 30

    private struct Position {
        var next: Int64
        /// Stops there; nil: never.
        var end: Int64?
        var leader: Int32
    }

    private let client: RequestClient
    private let contexts = CodecContexts()
    private var positions: [ListOffsets.Partition: Position] = [:]
    private var busy: Set<Int32> = []
    private var resets: [ListOffsets.Partition: (leader: Int32, timestamp: Int64)] = [:]
    private var pausedUntil = Instant.zero
    private var failure: RequestError?
    /// No more is wanted.
    private var isStopped = false
    /// Bumped when partitions are exchanged: late answers are then nobody's.
    private var generation = 0
    package var waitMaxMs = 500
    package var bytesMax: Int32 = 8 << 20
    /// Where to begin where an offset is no longer there: the earliest, else the latest.
    package var resetsToEarliest = true
    /// Gets each record; false stops the hand-over of what has been fetched.
    package var received: ((Record) -> Bool)?

    package init(_ client: RequestClient) { self.client = client }

    /// Exchanges what is read.
    /// - Parameter starts: partition → next offset and where to stop (exclusive).
    package func assign(
        _ starts: [ListOffsets.Partition: (next: Int64, end: Int64?)]
    ) throws(RequestError) {
        generation += 1
        busy = []
        resets = [:]
        positions = [:]
        for (partition, (next, end)) in starts {
            positions[partition] = Position(next: next, end: end, leader: -1)
        }
        try findLeaders()
    }

    /// The next offset of each partition.
    package var next: [ListOffsets.Partition: Int64] { positions.mapValues(\.next) }

    /// Whether every partition has been read to where it stops.
    package var isAtEnd: Bool {
        positions.values.allSatisfy { position in position.end.map { position.next >= $0 } ?? false
        }
    }

    private func findLeaders() throws(RequestError) {
        let topics = Set(positions.keys.map(\.topic)).sorted()
        guard !topics.isEmpty else { return }
        let found = try client.metadata(topics: topics)
        for topic in found.topics {
            for partition in topic.partitions {
                let key = ListOffsets.Partition(topic.name ?? "", partition.partitionIndex)
                positions[key]?.leader = partition.leaderId
            }
        }
    }

    /// Sends requests to leaders that have none, and waits for an answer.
    package func turn(until deadline: Instant) throws(RequestError) {
        if let failure { throw failure }
        if !resets.isEmpty { try reset() }
        if pausedUntil <= client.now {
            let wanted = positions.filter { $0.value.next < $0.value.end ?? .max }
            if wanted.values.contains(where: { $0.leader < 0 }) {
                try findLeaders()
                pausedUntil = client.now + .milliseconds(100)
            }
            for leader in Set(wanted.values.map(\.leader)).sorted()
            where leader >= 0 && !busy.contains(leader) {
                try fetch(leader, wanted.filter { $0.value.leader == leader })
            }
        }
        _ = try client.turn(until: min(deadline, client.now + .milliseconds(200)))
        if let failure { throw failure }
    }

    private func fetch(
        _ leader: Int32, _ wanted: [ListOffsets.Partition: Position]
    ) throws(RequestError) {
        var request = FetchRequest()
        request.maxWaitMs = Int32(clamping: waitMaxMs)
        request.minBytes = 1
        request.maxBytes = bytesMax
        for (key, position) in wanted.sorted(by: { $0.key < $1.key }) {
            if request.topics.last?.topic != key.topic {
                var topic = FetchRequest.Topic()
                topic.topic = key.topic
                request.topics.append(topic)
            }
            var partition = FetchRequest.Topic.Partition()
            partition.partition = key.partition
            partition.fetchOffset = position.next
            partition.partitionMaxBytes = bytesMax
            request.topics[request.topics.count - 1].partitions.append(partition)
        }
        let asked = generation
        busy.insert(leader)
        do throws(RequestError) {
            // From version 13 on topics have ids instead of names.
            try client.begin(
                request, .fetch, as: FetchResponse.self, of: .node(leader), versionMax: 12
            ) { [unowned self] result in
                guard asked == generation else { return }
                busy.remove(leader)
                switch result {
                case .success(let answer): take(answer.body, answer.frame)
                case .failure(let error): lost(leader, error)
                }
            }
        } catch {
            busy.remove(leader)
            lost(leader, error)
        }
    }

    private func lost(_ leader: Int32, _ error: RequestError) {
        switch error {
        case .unreachable, .timedOut:
            for (key, position) in positions where position.leader == leader {
                positions[key]?.leader = -1
            }
            pausedUntil = client.now + .milliseconds(200)
        default: failure = error
        }
    }

    private func take(_ answer: FetchResponse, _ frame: [UInt8]) {
        for topic in answer.responses {
            for partition in topic.partitions {
                let key = ListOffsets.Partition(topic.topic, partition.partitionIndex)
                guard positions[key] != nil, !isStopped else { continue }
                let error = ErrorCode(rawValue: partition.errorCode)
                if error == .none {
                    guard case .frame(let range)? = partition.records, !range.isEmpty else {
                        continue
                    }
                    take(key, frame, range)
                } else if error == .offsetOutOfRange {
                    let next = positions[key]?.next ?? 0
                    let isBelow = next < partition.logStartOffset
                    let time =
                        isBelow || resetsToEarliest ? ListOffsets.earliest : ListOffsets.latest
                    resets[key] = (positions[key]?.leader ?? -1, time)
                } else if error.isRetriable {
                    positions[key]?.leader = -1
                    pausedUntil = client.now + .milliseconds(100)
                } else {
                    failure = .malformed("topic \(key.topic), partition \(key.partition): \(error)")
                }
            }
        }
    }

    /// Finds out where partitions begin or end whose offset is no longer there; outside of the
    /// loop's callbacks.
    private func reset() throws(RequestError) {
        let found = try ListOffsets.ask(client, resets)
        for (key, offset) in found { positions[key]?.next = offset }
        resets = [:]
    }

    private func take(_ key: ListOffsets.Partition, _ frame: [UInt8], _ range: Range<Int>) {
        frame.withUnsafeBytes { bytes in
            var batches = BatchIterator(UnsafeRawBufferPointer(rebasing: bytes[range]))
            do throws(RecordsError) {
                while let (header, batch) = try next(&batches) {
                    try header.checkCRC(batch)
                    guard try take(key, header, batch) else { return }
                }
            } catch {
                failure = .malformed(
                    "topic \(key.topic), partition \(key.partition): \(error)")
            }
        }
    }

    /// A batch that is cut at the end of an answer is asked for again.
    private func next(
        _ batches: inout BatchIterator
    ) throws(RecordsError) -> (header: RecordBatchHeader, bytes: UnsafeRawBufferPointer)? {
        do throws(RecordsError) {
            return try batches.next()
        } catch .refused {
            return nil
        }
    }

    private func take(
        _ key: ListOffsets.Partition, _ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer
    ) throws(RecordsError) -> Bool {
        guard !header.attributes.isControl else {
            positions[key]?.next = header.nextOffset.rawValue
            return true
        }
        let position = positions[key]
        let first = position?.next ?? 0
        let end = position?.end ?? .max
        let goesOn = try RecordPayload.withRecords(
            of: header, in: batch, contexts: contexts, limit: Self.inflatedBytesMax
        ) { payload throws(RecordsError) -> Bool in
            var records = RecordIterator(payload: payload, count: header.recordCount)
            while let view = try records.next() {
                let offset = header.baseOffset.rawValue + Int64(view.offsetDelta)
                guard offset >= first else { continue }
                guard offset < end else { break }
                let time =
                    header.attributes.isLogAppendTime
                    ? header.maxTimestamp
                    : Timestamp(header.baseTimestamp.rawValue &+ view.timestampDelta)
                let record = Record(
                    partition: key, offset: offset, timestamp: time,
                    key: view.key.map { Array($0) },
                    value: view.value.map { Array($0) }, headers: try view.headers())
                positions[key]?.next = offset + 1
                guard received?(record) ?? true else {
                    isStopped = true
                    return false
                }
            }
            return true
        }
        if goesOn { positions[key]?.next = max(header.nextOffset.rawValue, first) }
        return goesOn
    }
}
