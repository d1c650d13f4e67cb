import Foundation
import MillraceBase
import MillraceProtocol
import MillraceRecords
import Storage
import Testing

/// Directories that Apache Kafka 4.3.1 wrote, opened and read.
struct GoldenLogTests {
    static let cases = [
        "01-codecs", "03-tiny-records", "04-idempotent", "05-transactions", "06-compaction",
        "07-retention", "08-time-index", "12-leader-epochs",
    ]

    @Test(arguments: cases)
    func everyBatchIsReadAsKafkaWroteIt(name: String) async throws {
        let golden = try await GoldenCase(name)
        defer { golden.remove() }
        for (partition, expected) in golden.expectation.partitions {
            let log = try golden.open(
                partition, in: try golden.directory(partition, clean: true))
            let comment = Comment(rawValue: partition)
            #expect(log.endOffset.rawValue == expected.logEndOffset, comment)
            #expect(log.bytesCutAtOpening == 0, comment)
            #expect(log.topicID.map { "\($0.uuid)" } == expected.topicId, comment)
            let start = expected.kafkaReads?.logStartOffset ?? 0
            #expect(log.startOffset.rawValue == start, comment)
            let wanted = (expected.segments ?? []).flatMap { segment in
                segment.batches.filter { $0.lastOffset >= start }.map {
                    (segment.baseOffset, $0)
                }
            }
            let found = try storedBatches(of: log, maxBytes: 1_000)
            #expect(found.count == wanted.count, comment)
            for (batch, (segment, want)) in zip(found, wanted) {
                let same =
                    batch.segment.rawValue == segment && batch.position == want.position
                    && batch.header.byteCount == want.size
                    && batch.header.baseOffset.rawValue == want.baseOffset
                    && batch.header.lastOffset.rawValue == want.lastOffset
                    && batch.header.recordCount == want.count
                    && batch.header.leaderEpoch.rawValue == want.leaderEpoch
                    && (try? batch.header.attributes.codec().name) == want.codec
                    && batch.header.crc == want.crc
                    && batch.header.maxTimestamp.rawValue == want.maxTimestamp
                    && batch.header.producerID == want.producerId
                    && batch.header.baseSequence == want.baseSequence
                #expect(same, "\(partition) at \(want.baseOffset)")
            }
            try offsetsAreFound(log, wanted.map(\.1), partition)
        }
    }

    private func offsetsAreFound(
        _ log: PartitionLog, _ batches: [GoldenCase.Batch], _ partition: String
    ) throws {
        var next = log.startOffset.rawValue
        for batch in batches {
            for offset in next...batch.lastOffset {
                let slice = try log.read(
                    from: Offset(offset), maxBytes: 1, upTo: log.endOffset, minOneBatch: true)
                #expect(
                    slice?.baseOffset.rawValue == batch.baseOffset
                        && slice?.position == batch.position, "\(partition) \(offset)")
            }
            next = batch.lastOffset + 1
        }
    }

    @Test(arguments: cases)
    func timestampsAreFoundAsKafkaFindsThem(name: String) async throws {
        let golden = try await GoldenCase(name)
        defer { golden.remove() }
        for (partition, expected) in golden.expectation.partitions {
            let log = try golden.open(
                partition, in: try golden.directory(partition, clean: true))
            if let reads = expected.kafkaReads {
                let largest = try log.offsetOfMaxTimestamp()
                #expect(
                    [largest?.timestamp.rawValue ?? -1, largest?.offset.rawValue ?? -1]
                        == reads.maxTimestamp, "\(partition)")
            }
            let start = log.startOffset.rawValue
            guard let records = expected.records?.filter({ $0.offset >= start }) else { continue }
            let times = Set(records.flatMap { [$0.timestamp - 1, $0.timestamp, $0.timestamp + 1] })
            for time in times where time >= 0 {
                let wanted = records.first { $0.timestamp >= time }
                let found = try log.offset(forTimestamp: Timestamp(time), upTo: log.endOffset)
                #expect(
                    found?.offset.rawValue == wanted?.offset
                        && found?.timestamp.rawValue == wanted?.timestamp,
                    "\(partition) at \(time): \(String(describing: found))")
            }
        }
    }

    @Test(arguments: cases)
    func producersAndEpochsAreThoseThatKafkaKnows(name: String) async throws {
        let golden = try await GoldenCase(name)
        defer { golden.remove() }
        for (partition, expected) in golden.expectation.partitions {
            for clean in [true, false] {
                let log = try golden.open(
                    partition, in: try golden.directory(partition, clean: clean))
                let wanted = (expected.kafkaReads?.producers ?? []).map {
                    "\($0.producerId) \($0.producerEpoch) \($0.lastSequence) "
                        + "\($0.coordinatorEpoch) \($0.txnStartOffset)"
                }
                let found = log.producers().map {
                    "\($0.id) \($0.epoch) \($0.lastSequence) \($0.coordinatorEpoch) "
                        + "\($0.transactionStart.rawValue)"
                }
                // Kafka forgets by record time, here by silence: more may be known.
                #expect(
                    Set(wanted).isSubset(of: found), "\(partition) \(clean) \(wanted) \(found)")
                let epochs = log.epochStarts.map { [Int64($0.epoch.rawValue), $0.start.rawValue] }
                // An epoch that begins at the end is begun again by its leader.
                let known = (expected.leaderEpochs ?? []).filter {
                    $0[1] < expected.logEndOffset ?? 0
                }
                #expect(epochs == known, "\(partition) \(clean)")
            }
        }
    }

    /// The same batches in a new log: the indexes that we write are Kafka's, byte for byte.
    @Test(arguments: [
        ("08-time-index", "time-max-ratio-0", 120, 1, 1 << 30),
        ("08-time-index", "time-ooo-0", 10 << 20, 1, 1_000),
        ("07-retention", "ret-bytes-0", 10 << 20, 4096, 2_000),
    ])
    func indexesOfTheSameBatchesAreTheSame(
        name: String, partition: String, indexBytes: Int, interval: Int, segmentBytes: Int64
    ) async throws {
        let golden = try await GoldenCase(name)
        defer { golden.remove() }
        let log = try golden.open(partition, in: try golden.directory(partition, clean: true))
        var config = LogConfig()
        (config.indexBytesMax, config.indexIntervalBytes) = (indexBytes, interval)
        config.segmentBytes = segmentBytes
        let copy = try LogFixture(partition, config: config)
        try copy.log.restart(at: log.startOffset, now: moment())
        for batch in try storedBatches(of: log) {
            _ = try copy.append(replica: batch.bytes).staged()
        }
        try copy.stopClean()
        let base = golden.root.appending(path: partition)
        for segment in golden.expectation.partitions[partition]?.segments ?? [] {
            for kind in ["log", "index", "timeindex"] {
                let digits = String(segment.baseOffset)
                let file =
                    String(repeating: "0", count: 20 - digits.count) + digits + "." + kind
                let wanted = [UInt8](try Data(contentsOf: base.appending(path: file)))
                #expect(try copy.contents(file) == wanted, "\(file)")
            }
        }
    }
}
