import MillraceBase
import MillraceRecords
import Storage

let clusterID = "bWlsbHJhY2UtZ29sZGVuLQ"

/// A moment of both clocks, so many milliseconds after a start.
func moment(_ ms: Int64 = 0) -> Moment {
    Moment(
        instant: Instant(nanoseconds: (1_000_000 + ms) * 1_000_000),
        timestamp: Timestamp(1_700_000_000_000 + ms))
}

/// What a test's batch says.
struct TestBatch {
    var values: [String] = ["v"]
    /// Of the first record; the others follow by a millisecond each.
    var timestamp: Int64 = 1_700_000_000_000
    var timestamps: [Int64]?
    var producer = BatchProducer.none
    var codec = CompressionCodec.none

    func bytes() -> [UInt8] {
        var builder = BatchBuilder(producer: producer)
        for (index, value) in values.enumerated() {
            let time = timestamps?[index] ?? timestamp + Int64(index)
            builder.append(
                timestamp: Timestamp(time), key: Array("k\(index)".utf8), value: Array(value.utf8))
        }
        return builder.finish(codec: codec)
    }
}

/// A log in a directory of files in memory, and what its shard would do with it.
final class LogFixture {
    let files: MemoryFileSystem
    let path = "/data"
    let name: String
    var config: LogConfig
    var directory: LogDirectory
    var log: PartitionLog
    let cache: OpenFileCache
    let contexts = CodecContexts()
    var now = moment()

    init(
        _ name: String = "t-0", config: LogConfig = LogConfig(),
        files: MemoryFileSystem = MemoryFileSystem(), descriptors: Int = 100
    ) throws {
        self.files = files
        self.name = name
        self.config = config
        cache = OpenFileCache(capacity: descriptors)
        if try LogDirectory.identity(path, fileSystem: files) == nil {
            try LogDirectory.format(
                path, fileSystem: files,
                identity: DirectoryIdentity(
                    clusterID: clusterID, nodeID: NodeID(1), directoryID: Uuid(high: 7, low: 7)),
                files: [])
        }
        directory = try LogDirectory.open(path, fileSystem: files, nodeID: NodeID(1))
        log = try PartitionLog.open(
            name: name, topicID: TopicID(Uuid(high: 1, low: 2)), in: directory, config: config,
            files: cache, contexts: contexts, now: now)
    }

    /// Validates and stages as a Produce request does.
    func stage(_ batch: TestBatch, epoch: Int32 = 0) throws -> (AppendOutcome, [UInt8]) {
        var bytes = batch.bytes()
        let header = try bytes.withUnsafeBytes { try BatchValidator.checkForm($0) }
        var rules = log.config.appendRules(partitionName: name)
        rules.timestampAfterMaxMs = .max
        let (log, contexts, now) = (self.log, self.contexts, self.now)
        let outcome = try bytes.withUnsafeMutableBytes { memory in
            let valid = try BatchValidator.validate(
                header, in: memory, rules: rules, now: now.timestamp, contexts: contexts)
            return try log.stage(valid, in: memory, leaderEpoch: LeaderEpoch(epoch), now: now)
        }
        return (outcome, bytes)
    }

    /// Appends whole; the outcome.
    @discardableResult
    func append(_ batch: TestBatch = TestBatch(), epoch: Int32 = 0) throws -> AppendOutcome {
        let (outcome, bytes) = try stage(batch, epoch: epoch)
        if case .staged(let staged) = outcome {
            do {
                try bytes.withUnsafeBytes { try staged.perform($0) }
            } catch let fault as FileFault {
                log.failed(fault)
                throw fault
            }
            log.written(staged)
        }
        return outcome
    }

    /// Appends bytes of another replica; how many appends it took.
    func append(replica bytes: [UInt8]) throws -> AppendOutcome {
        let outcome = try bytes.withUnsafeBytes { try log.stage(replica: $0, now: now) }
        if case .staged(let staged) = outcome {
            try bytes.withUnsafeBytes { try staged.perform($0) }
            log.written(staged)
        }
        return outcome
    }

    func flush() throws {
        guard let job = try log.beginFlush() else { return }
        try job.perform()
        log.flushed(job, now: now.instant)
    }

    func checkpoint() throws {
        var checkpoints = DirectoryCheckpoints()
        checkpoints.recoveryPoints = [name: log.flushedOffset]
        checkpoints.startOffsets = [name: log.startOffset]
        checkpoints.highWatermarks = [name: log.endOffset]
        try directory.writeCheckpoints(checkpoints)
    }

    func stopClean() throws {
        try log.close()
        try checkpoint()
        try directory.close(brokerEpoch: 12)
    }

    /// The same files under a new process.
    func reopened(config: LogConfig? = nil) throws -> LogFixture {
        files.killProcess()
        return try LogFixture(name, config: config ?? self.config, files: files)
    }

    func contents(_ file: String) throws -> [UInt8]? {
        try files.contents(path + "/" + name + "/" + file)
    }

    func fileNames() throws -> [String] { try files.list(path + "/" + name).map(\.name) }

    /// All batches from the start to the end, through reads of `maxBytes`.
    func readAll(maxBytes: Int = 1 << 20) throws -> [StoredBatch] {
        try storedBatches(of: log, maxBytes: maxBytes)
    }

    /// Offsets and values of all records.
    func records() throws -> [String] {
        try readAll().flatMap { try $0.records(contexts).map { "\($0.offset) \($0.value ?? "-")" } }
    }
}

/// A batch that was read from a log.
struct StoredBatch {
    var header: RecordBatchHeader
    var bytes: [UInt8]
    var segment: Offset
    var position: Int64

    func records(
        _ contexts: CodecContexts
    ) throws -> [(offset: Int64, timestamp: Int64, value: String?)] {
        try bytes.withUnsafeBytes { batch in
            try RecordPayload.withRecords(
                of: header, in: batch, contexts: contexts, limit: 64 << 20
            ) { payload throws(RecordsError) in
                var found: [(offset: Int64, timestamp: Int64, value: String?)] = []
                var records = RecordIterator(payload: payload, count: header.recordCount)
                while let record = try records.next() {
                    found.append(
                        (
                            header.baseOffset.rawValue + Int64(record.offsetDelta),
                            header.timestamp(of: record).rawValue,
                            record.value.map { String(decoding: $0, as: UTF8.self) }
                        ))
                }
                return found
            }
        }
    }
}

/// All batches of a log, as a consumer that reads on after each answer gets them.
func storedBatches(of log: PartitionLog, maxBytes: Int = 1 << 20) throws -> [StoredBatch] {
    var batches: [StoredBatch] = []
    var next = log.startOffset
    while next < log.endOffset {
        guard
            let slice = try log.read(
                from: next, maxBytes: maxBytes, upTo: log.endOffset, minOneBatch: true)
        else { break }
        let bytes = try slice.bytes()
        let before = next
        try bytes.withUnsafeBytes { memory in
            var position = 0
            while position < memory.count {
                let rest = UnsafeRawBufferPointer(rebasing: memory[position...])
                // The last batch of a slice may be cut.
                guard let header = try? RecordBatchHeader(reading: rest) else { break }
                try header.checkCRC(rest)
                batches.append(
                    StoredBatch(
                        header: header, bytes: Array(rest[..<header.byteCount]),
                        segment: slice.segmentBaseOffset,
                        position: slice.position + Int64(position)))
                next = max(next, header.nextOffset)
                position += header.byteCount
            }
        }
        if next == before { break }
    }
    return batches
}

/// The staged append of an outcome.
struct NotStaged: Error {
    var outcome: AppendOutcome
}

extension AppendOutcome {
    func staged() throws -> StagedAppend {
        guard case .staged(let staged) = self else { throw NotStaged(outcome: self) }
        return staged
    }

    var refusal: AppendRefusal? {
        guard case .refused(let refusal) = self else { return nil }
        return refusal
    }

    var duplicate: DuplicateAppend? {
        guard case .duplicate(let duplicate) = self else { return nil }
        return duplicate
    }
}
