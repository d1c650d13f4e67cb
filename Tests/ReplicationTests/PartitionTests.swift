import MillraceBase
import MillraceRecords
import Replication
import Storage
import Testing

/// A partition with one replica, on a disk in memory: appends in, orders out.
struct PartitionTests {
    private let now = Moment(
        instant: .zero + .seconds(1), timestamp: Timestamp(1_795_000_000_000))
    private let partition: Partition

    init() throws {
        let files = MemoryFileSystem()
        try LogDirectory.format(
            "/data", fileSystem: files,
            identity: DirectoryIdentity(
                clusterID: "AAAAAAAAAAAAAAAAAAAAAA", nodeID: NodeID(1),
                directoryID: Uuid(high: 1, low: 1)), files: [])
        let directory = try LogDirectory.open("/data", fileSystem: files, nodeID: NodeID(1))
        let topic = TopicID(Uuid(high: 2, low: 3))
        let log = try PartitionLog.open(
            name: "t-0", topicID: topic, in: directory, config: LogConfig(),
            files: OpenFileCache(capacity: 8), contexts: CodecContexts(), now: now)
        partition = try Partition(
            id: TopicPartition(topic: topic, index: 0), name: "t-0", log: log,
            leaderEpoch: LeaderEpoch(4), inSyncMin: 1)
    }

    private func waiter(_ item: Int) -> AppendWaiter {
        .produce(shard: 0, operation: 7, item: item)
    }

    /// Appends one batch and gives what the partition said and wants.
    private func append(
        _ values: Int, producer: BatchProducer = .none, waiter: AppendWaiter,
        waitsForAll: Bool = true
    ) throws -> (PartitionAppend, [PartitionEffect]) {
        var builder = BatchBuilder(producer: producer)
        for value in 0..<values {
            builder.append(timestamp: now.timestamp, key: nil, value: [UInt8(value)])
        }
        var batch = builder.finish()
        var effects: [PartitionEffect] = []
        let contexts = CodecContexts()
        let outcome = try batch.withUnsafeMutableBytes { bytes in
            let header = try BatchValidator.checkForm(UnsafeRawBufferPointer(bytes))
            let validated = try BatchValidator.validate(
                header, in: bytes, rules: AppendRules(), now: now.timestamp, contexts: contexts)
            let outcome = try partition.append(
                validated, in: bytes, waitsForAll: waitsForAll, waiter: waiter, now: now,
                into: &effects)
            if case .staged(let append) = outcome {
                try append.perform(UnsafeRawBufferPointer(bytes))
            }
            return outcome
        }
        return (outcome, effects)
    }

    private func written(_ outcome: PartitionAppend) throws -> [PartitionEffect] {
        guard case .staged(let append) = outcome else {
            Issue.record("the batch was not staged")
            return []
        }
        var effects: [PartitionEffect] = []
        partition.written(append, into: &effects)
        return effects
    }

    /// Who is acknowledged at which offset, in order.
    private func acknowledged(_ effects: [PartitionEffect]) -> [Acknowledgement] {
        effects.compactMap { effect in
            guard case .acknowledge(let waiter, let result) = effect else { return nil }
            return Acknowledgement(waiter: waiter, offset: result.baseOffset)
        }
    }

    private struct Acknowledgement: Equatable {
        var waiter: AppendWaiter
        var offset: Offset
    }

    @Test func nothingIsAcknowledgedBeforeItIsWritten() throws {
        let (outcome, before) = try append(3, waiter: waiter(0))
        #expect(before.isEmpty)
        #expect(partition.highWatermark == .zero)
        let effects = try written(outcome)
        #expect(acknowledged(effects) == [Acknowledgement(waiter: waiter(0), offset: .zero)])
        #expect(effects.contains(.advanced(Offset(3))))
        #expect(partition.highWatermark == Offset(3))
    }

    @Test func appendsInFlightAreAcknowledgedInTheirOrder() throws {
        let (first, _) = try append(2, waiter: waiter(0))
        let (second, _) = try append(1, waiter: waiter(1))
        #expect(
            acknowledged(try written(first))
                == [Acknowledgement(waiter: waiter(0), offset: .zero)])
        #expect(
            acknowledged(try written(second))
                == [Acknowledgement(waiter: waiter(1), offset: Offset(2))])
    }

    @Test func aRepeatOfABatchInFlightWaitsForIt() throws {
        let producer = BatchProducer(id: 9, epoch: 0, baseSequence: 0)
        let (first, _) = try append(2, producer: producer, waiter: waiter(0))
        let (repeated, early) = try append(2, producer: producer, waiter: waiter(1))
        guard case .duplicate = repeated else {
            Issue.record("the repeat was not recognised")
            return
        }
        #expect(early.isEmpty)
        let found = acknowledged(try written(first))
        #expect(found.map(\.waiter) == [waiter(0), waiter(1)])
        #expect(found.allSatisfy { $0.offset == .zero })
    }

    @Test func aRepeatDoesNotHoldBackWhatWasAppendedBeforeIt() throws {
        let (first, _) = try append(1, waiter: waiter(0))
        let producer = BatchProducer(id: 9, epoch: 0, baseSequence: 0)
        let (second, _) = try append(1, producer: producer, waiter: waiter(1))
        _ = try append(1, producer: producer, waiter: waiter(2))
        #expect(acknowledged(try written(first)).map(\.waiter) == [waiter(0)])
        #expect(acknowledged(try written(second)).map(\.waiter) == [waiter(1), waiter(2)])
    }

    private func follow(_ ends: [Int32: Int64]) -> [PartitionEffect] {
        var effects: [PartitionEffect] = []
        let named = ends.map { (NodeID($0.key), Offset($0.value)) }
        partition.follow(Dictionary(uniqueKeysWithValues: named), into: &effects)
        return effects
    }

    @Test func committedIsWhatAllReplicasInSyncHave() throws {
        #expect(follow([2: 0, 3: 0]).isEmpty && partition.inSyncCount == 3)
        let first = try written(try append(2, waiter: waiter(0)).0)
        let second = try written(try append(1, waiter: waiter(1), waitsForAll: false).0)
        #expect(first.isEmpty && partition.highWatermark == .zero)
        #expect(acknowledged(second).map(\.waiter) == [waiter(1)], "its leader has it")
        #expect(follow([2: 3, 3: 1]) == [.advanced(Offset(1))])
        #expect(acknowledged(follow([2: 3, 3: 2])).map(\.waiter) == [waiter(0)])
        // A replica that falls behind is put out of sync, and holds up nobody.
        #expect(follow([2: 3]) == [.advanced(Offset(3))])
        // It never goes back.
        #expect(follow([2: 3, 3: 2]).isEmpty && partition.highWatermark == Offset(3))
    }

    @Test func withFewerReplicasInSyncThanTheMinimumNothingIsCommitted() throws {
        partition.inSyncMin = 2
        _ = follow([2: 0])
        let (outcome, _) = try append(1, waiter: waiter(0))
        #expect(follow([:]).isEmpty)
        #expect(try written(outcome).isEmpty && partition.highWatermark == .zero)
        guard case .notEnoughReplicas = try append(1, waiter: waiter(1)).0 else {
            Issue.record("it is taken")
            return
        }
        let own = try written(try append(1, waiter: waiter(2), waitsForAll: false).0)
        #expect(acknowledged(own).map(\.waiter) == [waiter(2)])
        #expect(partition.highWatermark == .zero)
        #expect(acknowledged(follow([2: 2])).map(\.waiter) == [waiter(0)])
    }

    @Test func aRepeatThatAsksForTheLeaderAloneDoesNotWaitForTheOthers() throws {
        _ = follow([2: 0])
        let producer = BatchProducer(id: 9, epoch: 0, baseSequence: 0)
        let (first, _) = try append(2, producer: producer, waiter: waiter(0))
        func again(_ item: Int, all: Bool) throws -> [AppendWaiter] {
            let repeated = try append(
                2, producer: producer, waiter: waiter(item), waitsForAll: all)
            return acknowledged(repeated.1).map(\.waiter)
        }
        #expect(try again(1, all: false).isEmpty)
        #expect(acknowledged(try written(first)).map(\.waiter) == [waiter(1)])
        #expect(try again(2, all: false) == [waiter(2)])
        #expect(try again(3, all: true).isEmpty)
        #expect(acknowledged(follow([2: 2])).map(\.waiter) == [waiter(0), waiter(3)])
    }

    @Test func aWatchIsToldOnce() throws {
        let watch = FetchWatch(shard: 2, operation: 5)
        partition.watch(watch)
        partition.watch(watch)
        #expect(partition.watchCount == 1)
        #expect(try written(try append(1, waiter: .none).0).contains(.wake(watch)))
        #expect(try !written(try append(1, waiter: .none).0).contains(.wake(watch)))
    }

    @Test func watchesAreToldInTheirOrderAndAreNoMoreThanTheirMaximum() throws {
        for operation in 0..<UInt64(Partition.watchesMax) + 5 {
            partition.watch(FetchWatch(shard: 0, operation: operation))
        }
        partition.unwatch(FetchWatch(shard: 0, operation: 3))
        #expect(partition.watchCount == Partition.watchesMax - 1)
        let woken = try written(try append(1, waiter: .none).0).compactMap { effect in
            if case .wake(let watch) = effect { watch.operation } else { nil }
        }
        #expect(woken == (0..<UInt64(Partition.watchesMax)).filter { $0 != 3 })
        #expect(partition.watchCount == 0)
    }

    @Test func whoWaitsIsAbandonedWhenAWriteFails() throws {
        _ = try append(1, waiter: waiter(0))
        _ = try append(1, waiter: waiter(1))
        var effects: [PartitionEffect] = []
        partition.failed(
            FileFault(operation: "write", path: "/data/t-0", code: 5), into: &effects)
        #expect(effects == [.abandon(waiter(0)), .abandon(waiter(1))])
        #expect(throws: StorageError.self) { try append(1, waiter: waiter(2)) }
    }

    @Test func aNewTermRaisesTheEpochAndAnOldOneDoesNot() throws {
        try partition.lead(epoch: LeaderEpoch(6))
        try partition.lead(epoch: LeaderEpoch(5))
        #expect(partition.leaderEpoch == LeaderEpoch(6))
        #expect(partition.log.latestEpoch == LeaderEpoch(6))
    }
}
