import Broker
import Foundation
import MillraceBase
import MillraceProtocol
import Server
import Storage
import Synchronization
import Testing

@Suite struct ControlRunnerTests {
    /// What the runner posts to its shards; each takes up metadata at once.
    private final class Shards: Sendable {
        struct State: Sendable {
            var updates: [MetadataUpdate] = []
            var replies: [(ReplyToken, Reply)] = []
            var blocks: [Range<Int64>] = []
            var runner: ControlRunner?
            var early: [ControlMessage] = []
        }
        let state = Mutex(State())
        let changed = DispatchSemaphore(value: 0)

        func received(_ shard: Int, _ message: ShardMessage) {
            let runner = state.withLock { state -> ControlRunner? in
                switch message {
                case .metadata(let update): state.updates.append(update)
                case .reply(let token, let reply): state.replies.append((token, reply))
                case .producerIDs(let block): state.blocks.append(block)
                default: break
                }
                if case .metadata(let update) = message, state.runner == nil {
                    state.early.append(
                        .metadataApplied(shard: shard, through: update.view.offset))
                }
                return state.runner
            }
            if case .metadata(let update) = message {
                runner?.post(.metadataApplied(shard: shard, through: update.view.offset))
            }
            changed.signal()
        }

        func attach(_ runner: ControlRunner) {
            let early = state.withLock { state in
                state.runner = runner
                return state.early
            }
            for message in early { runner.post(message) }
        }
    }

    private func settings(_ directory: String, _ more: [String] = []) throws -> NodeSettings {
        try NodeSettings(
            ServerConfig(
                overrides: more + [
                    "node.id=1", "log.dirs=\(directory)", "broker.rack=r1", "num.partitions=2",
                    "listeners=PLAINTEXT://127.0.0.1:0", "offsets.topic.num.partitions=4",
                    "offsets.topic.replication.factor=1",
                ]))
    }

    private func token(_ api: ApiKey, version: Int16) -> ReplyToken {
        ReplyToken(
            shard: 0, connection: ConnectionKey(slot: 0, generation: 0), sequence: 0,
            correlationID: 1, api: api, version: version, received: .zero)
    }

    private func start(
        _ settings: NodeSettings, _ directory: LogDirectory, _ shards: Shards
    ) throws -> ControlRunner {
        let serving = DispatchSemaphore(value: 0)
        let runner = try ControlRunner(
            settings: settings, directory: directory, post: shards.received, shardCount: 2,
            listenerPorts: ["PLAINTEXT": 4321], log: Log.disabled,
            onServing: { serving.signal() })
        shards.attach(runner)
        #expect(serving.wait(timeout: .now() + 20) == .success)
        return runner
    }

    private func wait(_ shards: Shards, until isDone: (Shards.State) -> Bool) {
        let deadline = Date.now + 20
        while Date.now < deadline, !isDone(shards.state.withLock { $0 }) {
            _ = shards.changed.wait(timeout: .now() + 0.1)
        }
    }

    @Test func aNewNodeServesItsTopicsAgainAfterARestart() throws {
        let path = FileManager.default.temporaryDirectory.appending(
            path: "millrace-control-\(UUID())"
        ).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let settings = try settings(path)
        let formatted = try StorageCommand.format(settings)
        #expect(formatted.count == 1)
        #expect(throws: CommandError.self) {
            try StorageCommand.format(settings)
        }
        var epochs: [Int64] = []
        var topicID: Uuid?
        for run in 0..<3 {
            let directory = try LogDirectory.open(
                path, fileSystem: PosixFileSystem(), nodeID: settings.nodeID)
            let shards = Shards()
            let runner = try start(settings, directory, shards)
            epochs.append(runner.brokerEpoch)
            if run == 0 { try create("t", runner, shards) }
            let view = try #require(shards.state.withLock { $0.updates.last?.view })
            let topic = try #require(view.seen(through: "PLAINTEXT").topic(named: "t"))
            #expect(topic.partitions.map(\.leader) == [NodeID(1), NodeID(1)])
            #expect(topicID == nil || topicID == topic.id.uuid)
            topicID = topic.id.uuid
            let brokers = view.seen(through: "PLAINTEXT").brokers()
            #expect(brokers.map(\.port) == [4321] && brokers.first?.isFenced == false)
            #expect(view.features.contains { $0.name == "metadata.version" && $0.level == 30 })
            #expect(view.config.value("min.insync.replicas") == .integer(1))
            runner.post(.allocateProducerIDs(shard: 1))
            wait(shards) { !$0.blocks.isEmpty }
            #expect(
                shards.state.withLock { $0.blocks } == [Int64(run) * 1000..<Int64(run + 1) * 1000])
            runner.stop()
            try directory.close(brokerEpoch: runner.brokerEpoch)
        }
        #expect(epochs == epochs.sorted() && Set(epochs).count == 3)
    }

    @Test func snapshotsTakeTheLogsPlace() throws {
        let path = FileManager.default.temporaryDirectory.appending(
            path: "millrace-control-\(UUID())"
        ).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let settings = try settings(
            path,
            [
                "metadata.log.max.record.bytes.between.snapshots=1",
                "millrace.storage.format=true",
            ])
        try StorageCommand.formatIfEmpty(settings)
        try StorageCommand.formatIfEmpty(settings)
        for run in 0..<3 {
            let directory = try LogDirectory.open(
                path, fileSystem: PosixFileSystem(), nodeID: settings.nodeID)
            let shards = Shards()
            let runner = try start(settings, directory, shards)
            try create("t\(run)", runner, shards)
            let view = try #require(shards.state.withLock { $0.updates.last?.view })
            let names = view.seen(through: "PLAINTEXT").topicNames()
            #expect(names == (0...run).map { "t\($0)" })
            runner.stop()
            try directory.close(brokerEpoch: runner.brokerEpoch)
            let files = try FileManager.default.contentsOfDirectory(
                atPath: path + "/" + MetadataLogStore.folderName)
            #expect((1...2).contains(files.count { $0.hasSuffix(".checkpoint") }))
        }
    }

    @Test func nothingThatTheDiskRefusedIsAcknowledgedAndTheRestComesBack() throws {
        let files = MemoryFileSystem()
        let settings = try settings("/data")
        _ = try StorageCommand.format(settings, fileSystem: files)
        let directory = try LogDirectory.open("/data", fileSystem: files, nodeID: NodeID(1))
        let shards = Shards()
        let runner = try start(settings, directory, shards)
        try create("kept", runner, shards)
        files.fail(.sync, path: "", code: 5, lasting: true)
        #expect(try codes("lost", runner, shards) == 56)
        files.heal()
        // The directory is offline until the next start: nobody knows what the disk holds.
        #expect(try codes("later", runner, shards) == 56)
        #expect(directory.offlineCause?.code == 5)
        runner.stop()
        files.killProcess()
        let again = try LogDirectory.open("/data", fileSystem: files, nodeID: NodeID(1))
        let others = Shards()
        let second = try start(settings, again, others)
        let view = try #require(others.state.withLock { $0.updates.last?.view })
        #expect(view.seen(through: "PLAINTEXT").topic(named: "kept") != nil)
        #expect(try codes("later", second, others) == 0)
        second.stop()
    }

    /// Makes a topic and gives the answer's error code.
    private func codes(
        _ name: String, _ runner: ControlRunner, _ shards: Shards
    ) throws -> Int16 {
        var request = CreateTopicsRequest()
        var topic = CreateTopicsRequest.Topic()
        (topic.name, topic.numPartitions, topic.replicationFactor) = (name, 1, 1)
        request.topics = [topic]
        let info = ConnectionInfo(listener: "PLAINTEXT", clientHost: "/127.0.0.1")
        let before = shards.state.withLock { $0.replies.count }
        runner.post(.request(.createTopics(request), token(.createTopics, version: 7), info))
        wait(shards) { $0.replies.count > before }
        let reply = try #require(shards.state.withLock { $0.replies.last?.1 })
        return try reply.bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[9...]))
            return try CreateTopicsResponse(from: &reader, version: 7).topics.first?.errorCode ?? -1
        }
    }

    private func create(_ name: String, _ runner: ControlRunner, _ shards: Shards) throws {
        var request = CreateTopicsRequest()
        var topic = CreateTopicsRequest.Topic()
        (topic.name, topic.numPartitions, topic.replicationFactor) = (name, -1, -1)
        request.topics = [topic]
        let info = ConnectionInfo(listener: "PLAINTEXT", clientHost: "/127.0.0.1")
        for _ in 0..<2 {
            runner.post(.request(.createTopics(request), token(.createTopics, version: 7), info))
        }
        wait(shards) { $0.replies.count == 2 }
        let replies = shards.state.withLock { $0.replies.map { $0.1 } }
        var codes: [Int16] = []
        for reply in replies {
            try reply.bytes.withUnsafeBytes { bytes in
                // Size, correlation id, no tagged fields.
                var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[9...]))
                let response = try CreateTopicsResponse(from: &reader, version: 7)
                codes.append(response.topics.first?.errorCode ?? -1)
                if codes == [0] {
                    #expect(response.topics.first?.configs?.count == 33)
                    #expect(response.topics.first?.numPartitions == 2)
                }
            }
        }
        #expect(codes == [0, 36])
    }
}
