package import MillraceBase
package import MillraceProtocol
internal import MillraceRecords
internal import Replication
package import Storage

/// What a shard is, for as long as the node runs.
package struct ShardIdentity: Sendable {
    package var index: Int
    package var count: Int
    package var settings: NodeSettings
    package var clusterID: String
    /// Where new partitions are put.
    package var directory: LogDirectory

    package init(
        index: Int, count: Int, settings: NodeSettings, clusterID: String, directory: LogDirectory
    ) {
        (self.index, self.count, self.settings) = (index, count, settings)
        (self.clusterID, self.directory) = (clusterID, directory)
    }
}

/// One shard of the data plane: connections, the partitions that hash to it, and what waits for
/// them.
///
/// A state machine without threads: the runner tells it events (`step`) and does what it asks
/// (`ShardEffect`), in order and before the next event. The only I/O in it is that of
/// `PartitionLog`, through `FileSystem`.
///
/// To add an API: a file `Handlers/NameHandler.swift` with `static let name = Handler…`, and a
/// line in `HandlerTable.all`. A handler reads `view` (the published metadata), or `topics` (flat,
/// for the hot path); asks the control loop with `control(_:)`; reaches partitions of other shards
/// by message (`ShardMessage`), never directly; and answers with `reply(_:_:)`, now or later.
package final class Shard {
    package let identity: ShardIdentity
    package let log: Log
    /// The published metadata; nil until the first update.
    package internal(set) var view: MetadataView?
    package internal(set) var now: Moment

    var topics = TopicTable()
    /// By `PartitionSlot`.
    var partitions: [Partition?] = []
    /// Slots of deleted partitions, to be used again.
    var freeSlots: [PartitionSlot] = []
    /// Folders of deleted partitions, of which a checkpoint on disk may still speak.
    var removedNames: Set<String> = []
    static let removedNamesMax = 10_000
    /// One of these names has a new log.
    var hasReopened = false
    /// Partitions whose logs could not be opened.
    var unopened: Set<String> = []
    /// Rules of each partition's topic, beside `partitions`.
    var rules: [AppendRules] = []
    private var connections: [ShardConnection?] = []
    var produces = ProduceOperations()
    var fetches: FetchOperations
    var queries = PartitionQueries()
    var producerIDs = ProducerIDBlocks()
    var upkeep: Upkeep
    /// Coordinators of groups, for the partitions of `__consumer_offsets` that this shard has.
    var coordinators = ShardCoordinators()
    var metrics: ShardMetrics
    let contexts = CodecContexts()
    let files: OpenFileCache
    /// Makes a random source of its own for whatever draws: a simulator's come from its seed.
    let makeRandom: () -> any RandomNumberGenerator & Sendable
    /// Draws the ids in the names of folders that are put aside.
    var folderIDs: any RandomNumberGenerator & Sendable
    var effects: [ShardEffect] = []
    var partitionEffects: [PartitionEffect] = []
    var writer = ByteWriter(capacity: 16 << 10)
    private var held: [UnsafeMutableRawBufferPointer] = []
    private var nextOperation: UInt64 = 0

    /// Requests of a connection that may wait for answers before no more are read.
    private static let outstandingMax = 512
    /// The same in bytes, of requests and of answers that wait for those before them: what waits
    /// takes some times that much once it is decoded.
    private static let outstandingBytesMax = 8 << 20

    /// - Parameter makeRandom: is called for each thing of the shard that draws numbers: the
    ///   system's generator in a node, seeded ones where a run is to be repeated.
    package init(
        _ identity: ShardIdentity, metrics: ShardMetrics, files: OpenFileCache, log: Log,
        now: Moment, makeRandom: @escaping () -> any RandomNumberGenerator & Sendable
    ) {
        (self.identity, self.metrics, self.files, self.log) = (identity, metrics, files, log)
        (self.now, self.makeRandom) = (now, makeRandom)
        folderIDs = makeRandom()
        fetches = FetchOperations(
            sessionsMax: identity.settings.fetchSessionsMax, shard: identity.index,
            shards: identity.count)
        upkeep = Upkeep(identity.settings.logWork, now: now.instant)
    }

    deinit { releaseHeld() }

    /// The shard that has a partition. It is told by the name, as the folder's is: where a topic
    /// is deleted and made again, one shard sees both, in their order.
    package static func owner(of topic: String, _ partition: Int32, among count: Int) -> Int {
        guard count > 1 else { return 0 }
        let hash = Array(topic.utf8).withUnsafeBytes { Hashes.murmur2($0) }
        return (Int(UInt32(bitPattern: hash)) + Int(max(0, partition))) % count
    }

    package func step(_ event: ShardEvent, at now: Moment, into effects: inout [ShardEffect]) {
        self.now = now
        releaseHeld()
        // The caller's array is the shard's during the step: its memory serves every event.
        swap(&effects, &self.effects)
        switch event {
        case .opened(let key, let info): opened(key, info)
        case .frame(let key, let bytes): received(bytes, on: key)
        case .closed(let key): closed(key)
        case .message(let message): received(message)
        case .written(let slot, let append, let fault): written(slot, append, fault)
        case .flushed(let slot, let job, let fault): flushed(slot, job, fault)
        case .tick: tick()
        }
        swap(&effects, &self.effects)
    }

    // MARK: Connections

    private func opened(_ key: ConnectionKey, _ info: ConnectionInfo) {
        while connections.count <= Int(key.slot) { connections.append(nil) }
        connections[Int(key.slot)] = ShardConnection(key: key, info: info)
    }

    private func closed(_ key: ConnectionKey) {
        guard isOpen(key) else { return }
        connections[Int(key.slot)] = nil
        endFetches(of: key)
    }

    private func isOpen(_ key: ConnectionKey) -> Bool {
        Int(key.slot) < connections.count && connections[Int(key.slot)]?.key == key
    }

    private func received(_ frame: UnsafeMutableRawBufferPointer, on key: ConnectionKey) {
        guard isOpen(key), let info = connections[Int(key.slot)]?.info else { return }
        metrics.bytesIn.add(frame.count + 4)
        do throws(CodecError) {
            try dispatch(frame, key, info)
        } catch {
            close(key, "a request cannot be read: \(error)")
        }
    }

    private func dispatch(
        _ frame: UnsafeMutableRawBufferPointer, _ key: ConnectionKey, _ info: ConnectionInfo
    ) throws(CodecError) {
        var reader = ByteReader(UnsafeRawBufferPointer(frame))
        reader.memoryLeft = identity.settings.decodedBytesMax
        let header = try RequestHeader.read(from: &reader)
        guard let handler = HandlerTable.handler(key: header.requestApiKey) else {
            return close(key, "API \(header.requestApiKey) is not served")
        }
        var version = header.requestApiVersion
        let isServed = handler.versions.contains(version)
        if !isServed {
            guard handler.api == .apiVersions else {
                return close(key, "\(handler.api.name) \(version) is not served")
            }
            version = 0  // KIP-511: the answer to a version that is too new has version 0
        }
        let place = begin(key, bytes: frame.count)
        let token = ReplyToken(
            shard: identity.index, connection: key, sequence: place,
            correlationID: header.correlationId, api: handler.api, version: version,
            received: now.instant, bytes: frame.count)
        guard isServed else {
            return reply(token, ApiVersionsResponse.unsupportedVersion())
        }
        let context = RequestContext(
            token: token, clientID: header.clientId, connection: info, frame: frame, now: now)
        try handler.run(self, context, &reader)
    }

    private func begin(_ key: ConnectionKey, bytes: Int) -> UInt64 {
        guard let place = connections[Int(key.slot)]?.begin(bytes: bytes) else {
            preconditionFailure("the connection is open")
        }
        balance(key)
        return place
    }

    /// Reads no more of a connection while much of it waits for answers.
    private func balance(_ key: ConnectionKey) {
        // Read field by field: a copy of the connection would count references.
        let slot = Int(key.slot)
        let count = connections[slot]?.outstanding ?? 0
        let bytes = connections[slot]?.outstandingBytes ?? 0
        if connections[slot]?.isPaused == true {
            guard count < Self.outstandingMax / 2, bytes < Self.outstandingBytesMax / 2 else {
                return
            }
            effects.append(.resume(key))
        } else {
            guard count >= Self.outstandingMax || bytes >= Self.outstandingBytesMax else { return }
            effects.append(.pause(key))
        }
        connections[slot]?.isPaused.toggle()
    }

    func close(_ key: ConnectionKey, _ reason: String) {
        log.warn(
            "connection closed", code: "connection.refused",
            ["peer": .text(clientHost(of: key)), "reason": .text(reason)])
        effects.append(.close(key, reason))
    }

    private func clientHost(of key: ConnectionKey) -> String {
        isOpen(key) ? connections[Int(key.slot)]?.info.clientHost ?? "" : ""
    }

    // MARK: Answers

    /// Answers a request. Answers of a connection leave in the order of its requests.
    package func reply(_ token: ReplyToken, _ body: some Message, slices: [LogSlice] = []) {
        send(token, Reply(body, to: token, slices: slices, writer: &writer))
    }

    /// The request gets no answer (acks=0).
    func staySilent(_ token: ReplyToken) { finish(token, with: nil) }

    /// Passes on an answer that is written already.
    func send(_ token: ReplyToken, _ reply: Reply) {
        guard token.shard == identity.index else {
            return effects.append(.post(shard: token.shard, .reply(token, reply)))
        }
        finish(token, with: reply)
    }

    private func finish(_ token: ReplyToken, with reply: Reply?) {
        let key = token.connection
        metrics.answered(
            api: token.api.rawValue, after: now.instant.nanoseconds(since: token.received))
        guard isOpen(key) else { return }
        if let failure = reply?.failure { close(key, failure) }
        if let code = reply?.errorCode, code != 0 {
            metrics.failed(api: token.api.rawValue, errorCode: code)
        }
        let slot = Int(key.slot)
        connections[slot]?.finish(token.sequence, bytes: token.bytes, with: reply) { reply in
            guard reply.failure == nil else { return }
            metrics.bytesOut.add(reply.bytes.count)
            effects.append(.send(key, reply))
        }
        balance(key)
    }

    // MARK: Messages

    private func received(_ message: ShardMessage) {
        switch message {
        case .reply(let token, let reply): finish(token, with: reply)
        case .metadata(let update): apply(update)
        case .producerIDs(let block): received(producerIDs: block)
        case .produce(let part): append(part)
        case .produced(let operation, let results): produced(operation, results)
        case .fetch(let part): read(part)
        case .fetched(let operation, let answer): fetched(operation, answer)
        case .fetchEnded(let shard, let operation):
            unwatch(FetchWatch(shard: shard, operation: operation))
        case .fetchWake(let operation): wake(fetch: operation)
        case .query(let query, let shard, let operation):
            answer(query, from: shard, operation: operation)
        case .answer(let operation, let answer): answered(operation, answer)
        case .coordinator(let call): coordinate(call)
        case .coordinated(let operation, let part, let response):
            coordinated(operation, part, response)
        }
    }

    /// Asks the control loop.
    package func control(_ message: ControlMessage) { effects.append(.control(message)) }

    func post(_ shard: Int, _ message: ShardMessage) {
        if shard == identity.index {
            received(message)
        } else {
            effects.append(.post(shard: shard, message))
        }
    }

    /// A number for something that this shard waits for. Never used again.
    func newOperation() -> UInt64 {
        nextOperation += 1
        return nextOperation
    }

    /// Keeps a copy of bytes until this step's effects are done.
    func hold(_ bytes: [UInt8]) -> UnsafeMutableRawBufferPointer {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
        copy.copyBytes(from: bytes)
        held.append(copy)
        return copy
    }

    private func releaseHeld() {
        guard !held.isEmpty else { return }
        for buffer in held { buffer.deallocate() }
        held.removeAll(keepingCapacity: true)
    }

    // MARK: Partitions

    func partition(_ slot: PartitionSlot) -> Partition? { partitions[slot.index] }

    /// Why a partition that this node leads is not there: its log could not be opened.
    var notServed: ErrorCode {
        identity.directory.offlineCause == nil ? .notLeaderOrFollower : .kafkaStorageError
    }

    private func written(_ slot: PartitionSlot, _ append: StagedAppend, _ fault: FileFault?) {
        // A partition that was deleted meanwhile: its waiters were told.
        guard let partition = partition(slot) else { return }
        // Once the directory is offline nothing counts as written: one append of several may have
        // succeeded after the one that failed.
        if let fault = fault ?? identity.directory.offlineCause {
            fail(fault, of: partition, slot)
        } else {
            partition.written(append, into: &partitionEffects)
            if partition.log.needsFlush(now: now.instant) { flush(slot) }
        }
        runPartitionEffects(slot)
    }

    private func fail(_ fault: FileFault, of partition: Partition, _ slot: PartitionSlot) {
        partition.failed(fault, into: &partitionEffects)
        directoryFailed(fault)
    }

    /// The log directory is offline from now on, whoever saw its fault first.
    func directoryFailed(_ fault: FileFault) {
        identity.directory.takeOffline(fault)
        if identity.directory.claimOfflineReport() {
            log.error(
                "log directory offline: mend its cause, then restart the node",
                code: "storage.offline",
                ["directory": .text(identity.directory.path), "cause": .text(fault.description)])
            control(.directoryFailed(identity.directory.identity.directoryID))
        }
    }

    func flush(_ slot: PartitionSlot) {
        guard let partition = partition(slot) else { return }
        do throws(StorageError) {
            if let job = try partition.log.beginFlush() { effects.append(.flush(slot, job)) }
        } catch {
            noteStorage(error)
        }
    }

    private func flushed(_ slot: PartitionSlot, _ job: FlushJob, _ fault: FileFault?) {
        guard let partition = partition(slot) else { return }
        if let fault {
            fail(fault, of: partition, slot)
        } else {
            partition.log.flushed(job, now: now.instant)
            if partition.log.needsFlush(now: now.instant) { flush(slot) }
        }
        runPartitionEffects(slot)
    }

    /// Logs a fault of storage that no request waits for.
    func noteStorage(_ error: StorageError) {
        if case .offline(_, let cause) = error { return directoryFailed(cause) }
        log.error("storage fault", code: "storage.fault", ["cause": .text(error.description)])
    }

    /// Does what a partition asked for.
    func runPartitionEffects(_ slot: PartitionSlot) {
        guard !partitionEffects.isEmpty else { return }
        var taken: [PartitionEffect] = []
        swap(&taken, &partitionEffects)
        defer {
            // The memory serves the next effects, unless these brought about some already.
            taken.removeAll(keepingCapacity: true)
            if partitionEffects.isEmpty { swap(&taken, &partitionEffects) }
        }
        for effect in taken {
            switch effect {
            case .acknowledge(let waiter, let result): acknowledge(waiter, .success(result))
            case .abandon(let waiter): acknowledge(waiter, .failure(.kafkaStorageError))
            case .wake(let watch): post(watch.shard, .fetchWake(operation: watch.operation))
            case .advanced(let offset): committed(slot, offset)
            }
        }
    }
}
