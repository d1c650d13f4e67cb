import Broker
import MillraceBase
import MillraceProtocol
import MillraceRecords
import Metadata
import Storage
import Testing

/// Random sources from one seed, each another.
final class Seeds {
    private var seed = SeededGenerator(seed: 1)

    func next() -> any RandomNumberGenerator & Sendable { SeededGenerator(seed: seed.next()) }
}

/// Shards of a node without threads: messages are carried at once, writes succeed at once, answers
/// are kept. One connection, on shard 0.
final class ShardHarness {
    let fileSystem: MemoryFileSystem
    let directory: LogDirectory
    let settings: NodeSettings
    private(set) var shards: [Shard] = []
    var now = Moment(
        instant: .zero + .seconds(1), timestamp: Timestamp(1_795_000_000_000))
    /// Answer frames without their size, in order of sending.
    var answers: [[UInt8]] = []
    var closed: [String] = []
    var control: [ControlMessage] = []
    /// Whether writes are kept back until `finishWrites`, as by a slow disk.
    var holdsWrites = false
    /// Whether what other shards have read is kept back until `finishFetches`.
    var holdsFetched = false
    private var held: [(shard: Int, event: ShardEvent)] = []
    private var heldFetched: [(shard: Int, event: ShardEvent)] = []
    /// Whether disk threads come to no checkpoints before the node is killed.
    var losesCheckpoints = false
    /// The fault of each write that is to come, in order; further ones have `fault`.
    var faults: [FileFault?] = []
    /// What was said of limits and certificates.
    private(set) var networks: [DynamicNetwork] = []
    /// Slots of partitions that were written to.
    private(set) var slots: Set<PartitionSlot> = []
    /// Whether the client's requests are to wait in its socket.
    private(set) var isPaused = false
    /// How often a shard told another's fetch of something new.
    private(set) var wakes = 0
    /// Folders that were to be removed.
    private(set) var removed: [String] = []
    /// Writes are refused with this while it is set.
    var fault: FileFault?
    private var image = ClusterImage()
    private let seeds = Seeds()
    private var correlation: Int32 = 0
    private var connection = ConnectionKey(slot: 0, generation: 1)

    /// - Parameter files: of a node that was killed; nil begins with an empty directory.
    init(
        shards count: Int = 1, settings text: [String] = [], files: MemoryFileSystem? = nil
    ) throws {
        settings = try NodeSettings(
            ServerConfig(
                overrides: [
                    "node.id=1", "process.roles=broker,controller", "log.dirs=/data",
                    "listeners=PLAINTEXT://127.0.0.1:9092",
                ] + text))
        let identity = DirectoryIdentity(
            clusterID: "AAAAAAAAAAAAAAAAAAAAAA", nodeID: NodeID(1),
            directoryID: Uuid(high: 1, low: 1))
        fileSystem = files ?? MemoryFileSystem()
        if files == nil {
            try LogDirectory.format("/data", fileSystem: fileSystem, identity: identity, files: [])
        }
        directory = try LogDirectory.open(
            "/data", fileSystem: fileSystem, nodeID: NodeID(1))
        let metrics = NodeMetrics()
        for index in 0..<count {
            shards.append(
                Shard(
                    ShardIdentity(
                        index: index, count: count, settings: settings,
                        clusterID: identity.clusterID, directory: directory),
                    metrics: metrics.shard(
                        apis: HandlerTable.all.map { ($0.api.rawValue, $0.api.name) }),
                    files: OpenFileCache(capacity: 64), log: .disabled, now: now,
                    makeRandom: { [seeds] in seeds.next() }))
        }
        tell(0, .opened(connection, ConnectionInfo(listener: "PLAINTEXT", clientHost: "/test")))
    }

    /// The node is killed, and started again with the same files and no topics yet.
    func restarted() throws -> ShardHarness {
        fileSystem.killProcess()
        let next = try ShardHarness(shards: shards.count, files: fileSystem)
        next.now = now
        return next
    }

    /// Tells a shard an event and carries out what follows from it.
    func tell(_ shard: Int, _ event: ShardEvent) {
        var effects: [ShardEffect] = []
        shards[shard].step(event, at: now, into: &effects)
        var written: [ShardEvent] = []
        var posts: [(Int, ShardMessage)] = []
        for effect in effects {
            switch effect {
            case .send(_, let reply): answers.append(flatten(reply))
            case .close(_, let reason): closed.append(reason)
            case .configureNetwork(let network): networks.append(network)
            case .pause: isPaused = true
            case .resume: isPaused = false
            case .post(let other, let message):
                posts.append((other, message))
                if case .fetchWake = message { wakes += 1 }
            case .control(let message): control.append(message)
            case .write(let slot, let append, let bytes):
                slots.insert(slot)
                let event = ShardEvent.written(slot, append, write(append, bytes))
                if holdsWrites { held.append((shard, event)) } else { written.append(event) }
            case .flush(let slot, let job): written.append(.flushed(slot, job, sync(job)))
            case .checkpoint(_, _, isUrgent: false) where losesCheckpoints: break
            case .checkpoint(let directory, let checkpoints, _):
                #expect(throws: Never.self) { try directory.writeCheckpoints(checkpoints) }
            case .removeTree(let path, _, _): removed.append(path)
            default: break
            }
        }
        for event in written { tell(shard, event) }
        for (other, message) in posts {
            if holdsFetched, case .fetched = message {
                heldFetched.append((other, .message(message)))
            } else {
                tell(other, .message(message))
            }
        }
    }

    private func write(_ append: StagedAppend, _ bytes: UnsafeRawBufferPointer) -> FileFault? {
        if let fault = faults.isEmpty ? fault : faults.removeFirst() { return fault }
        do throws(FileFault) {
            try append.perform(bytes)
            return nil
        } catch { return error }
    }

    /// The client goes away, and another comes.
    func reconnect() {
        tell(0, .closed(connection))
        connection.generation += 1
        tell(0, .opened(connection, ConnectionInfo(listener: "PLAINTEXT", clientHost: "/test")))
    }

    /// The disk has caught up.
    func finishWrites() {
        holdsWrites = false
        let events = held
        held = []
        for (shard, event) in events { tell(shard, event) }
    }

    /// The other shards' answers arrive.
    func finishFetches() {
        holdsFetched = false
        let events = heldFetched
        heldFetched = []
        for (shard, event) in events { tell(shard, event) }
    }

    private func sync(_ job: FlushJob) -> FileFault? {
        do throws(FileFault) {
            try job.perform()
            return nil
        } catch { return error }
    }

    private func flatten(_ reply: Reply) -> [UInt8] {
        var bytes: [UInt8] = []
        var start = 0
        for insertion in reply.insertions {
            bytes += reply.bytes[start..<insertion.position]
            bytes += (try? insertion.slice.bytes()) ?? []
            start = insertion.position
        }
        bytes += reply.bytes[start...]
        return Array(bytes.dropFirst(4))
    }

    /// Makes a topic that node 1 leads, in every shard.
    @discardableResult
    func makeTopic(
        _ name: String, partitions: Int32 = 1, _ overrides: [String: String] = [:],
        incarnation: UInt64 = 7, in chosen: Range<Int>? = nil
    ) -> TopicID {
        let id = TopicID(
            Uuid(high: incarnation, low: name.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) }))
        let update = MetadataUpdate(
            view: MetadataView(
                image: image, clusterID: "AAAAAAAAAAAAAAAAAAAAAA", nodeID: NodeID(1),
                fixed: settings.config),
            deleted: [],
            changed: [
                TopicUpdate(
                    id: id, name: name,
                    partitions: (0..<partitions).map {
                        TopicUpdate.Partition(
                            index: $0, leader: NodeID(1), leaderEpoch: LeaderEpoch(0))
                    }, overrides: overrides)
            ], brokerConfigChanged: false)
        for shard in chosen ?? shards.indices { tell(shard, .message(.metadata(update))) }
        return id
    }

    /// Sets a setting of all brokers, or unsets it.
    func configureBrokers(_ name: String, _ value: String?) throws {
        try configure("", name, value)
    }

    /// Sets a setting of this broker, or unsets it.
    func configureBroker(_ name: String, _ value: String?) throws {
        try configure("1", name, value)
    }

    private func configure(_ broker: String, _ name: String, _ value: String?) throws {
        var delta = ClusterDelta()
        var record = ConfigRecord()
        (record.resourceType, record.resourceName) = (4, broker)
        (record.name, record.value) = (name, value)
        try image.apply(.config(record), at: image.end, into: &delta)
        let update = MetadataUpdate(
            view: MetadataView(
                image: image, clusterID: "AAAAAAAAAAAAAAAAAAAAAA", nodeID: NodeID(1),
                fixed: settings.config),
            deleted: [], changed: [], brokerConfigChanged: true)
        for shard in shards.indices { tell(shard, .message(.metadata(update))) }
    }

    /// Deletes a topic and makes it again; each shard comes to both before the next one comes to
    /// the first.
    func replaceTopic(_ name: String, _ id: TopicID, incarnation: UInt64) {
        let all = shards.indices
        for shard in all {
            deleteTopic(id, in: shard..<shard + 1)
            makeTopic(name, incarnation: incarnation, in: shard..<shard + 1)
        }
    }

    /// Deletes a topic, in every shard.
    func deleteTopic(_ id: TopicID, in chosen: Range<Int>? = nil) {
        let update = MetadataUpdate(
            view: MetadataView(
                image: image, clusterID: "AAAAAAAAAAAAAAAAAAAAAA", nodeID: NodeID(1),
                fixed: settings.config),
            deleted: [id], changed: [], brokerConfigChanged: false)
        for shard in chosen ?? shards.indices { tell(shard, .message(.metadata(update))) }
    }

    /// Sends a request; its answer, if there is one now, is in `answers`.
    func send(_ body: some Message, _ api: ApiKey, version: Int16) throws {
        correlation += 1
        var writer = ByteWriter()
        try writer.writeRequest(
            body, api: api, version: version, correlationID: correlation, clientID: "test")
        var frame = Array(writer.array().dropFirst(4))
        frame.withUnsafeMutableBytes { tell(0, .frame(connection, $0)) }
    }

    /// Sends bytes as a frame.
    func send(frame bytes: [UInt8]) {
        var frame = bytes
        frame.withUnsafeMutableBytes { tell(0, .frame(connection, $0)) }
    }

    /// The last answer, read as `R`; with the bytes that its records are ranges of.
    func answer<R: Message>(
        _ api: ApiKey, version: Int16, as: R.Type = R.self
    ) throws -> (body: R, bytes: [UInt8]) {
        let bytes = try #require(answers.last, "there is an answer")
        let body = try bytes.withUnsafeBytes { buffer in
            var reader = ByteReader(buffer)
            let header = ResponseHeader.headerVersion(api: api, version: version)
            _ = try ResponseHeader(from: &reader, version: header)
            return try R(from: &reader, version: version)
        }
        return (body, bytes)
    }

    /// Lets time pass and tells all shards.
    func pass(_ time: Duration) {
        now.instant = now.instant + time
        now.timestamp = Timestamp(now.timestamp.rawValue + time.nanosecondsClamped / 1_000_000)
        for shard in shards.indices { tell(shard, .tick) }
    }

    /// Produces one batch of values and gives the answer for its partition.
    func produce(
        _ topic: String, partition: Int32 = 0, _ values: [String], acks: Int16 = -1,
        producer: BatchProducer = .none, codec: CompressionCodec = .none
    ) throws -> ProduceResponse.Response.PartitionResponse {
        try sendProduce(
            topic, partition: partition, values, acks: acks, producer: producer, codec: codec)
        let answer = try answer(.produce, version: 9, as: ProduceResponse.self)
        return try #require(answer.body.responses.first?.partitionResponses.first)
    }

    /// Produces one batch of values without looking at the answer.
    func sendProduce(
        _ topic: String, partition: Int32 = 0, _ values: [String], acks: Int16 = -1,
        producer: BatchProducer = .none, codec: CompressionCodec = .none
    ) throws {
        var builder = BatchBuilder(producer: producer)
        for value in values {
            builder.append(timestamp: now.timestamp, key: nil as [UInt8]?, value: Array(value.utf8))
        }
        var request = ProduceRequest()
        request.acks = acks
        var data = ProduceRequest.TopicData()
        data.name = topic
        var item = ProduceRequest.TopicData.PartitionData()
        (item.index, item.records) = (partition, .bytes(builder.finish(codec: codec)))
        data.partitionData = [item]
        request.topicData = [data]
        try send(request, .produce, version: 9)
    }

    /// Asks for partitions of a topic from an offset.
    func fetch(
        _ topic: String, partitions: [Int32] = [0], from offset: Int64 = 0, waitMs: Int32 = 0,
        bytesMin: Int32 = 1, bytesMax: Int32 = 1 << 20
    ) throws {
        var request = FetchRequest()
        (request.maxWaitMs, request.minBytes, request.maxBytes) = (waitMs, bytesMin, bytesMax)
        var asked = FetchRequest.Topic()
        asked.topic = topic
        asked.partitions = partitions.map { index in
            var partition = FetchRequest.Topic.Partition()
            (partition.partition, partition.fetchOffset) = (index, offset)
            partition.partitionMaxBytes = 1 << 20
            return partition
        }
        request.topics = [asked]
        try send(request, .fetch, version: 12)
    }

    /// The values of the last fetch's records, in order of partitions and offsets.
    func fetched() throws -> [String] {
        let (body, bytes) = try answer(.fetch, version: 12, as: FetchResponse.self)
        var values: [String] = []
        try bytes.withUnsafeBytes { buffer in
            for partition in body.responses.flatMap(\.partitions) {
                guard case .frame(let range)? = partition.records else { continue }
                var batches = BatchIterator(UnsafeRawBufferPointer(rebasing: buffer[range]))
                while let (header, batch) = try batches.next() {
                    try header.checkCRC(batch)
                    let payload = UnsafeRawBufferPointer(
                        rebasing: batch[RecordBatchHeader.size...])
                    var records = RecordIterator(payload: payload, count: header.recordCount)
                    while let record = try records.next() {
                        values.append(
                            String(
                                decoding: record.value ?? .init(start: nil, count: 0), as: UTF8.self
                            ))
                    }
                }
            }
        }
        return values
    }
}
