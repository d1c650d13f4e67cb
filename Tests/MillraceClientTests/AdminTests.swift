import MillraceBase
import MillraceClient
import MillraceClientCore
import MillraceProtocol
import TestSupport
import Testing

/// `Admin` against a node that runs as a process.
@Suite(.localNode(tls: false), .serialized) struct AdminTests {
    private func with(_ body: (Admin, ClientSettings) async throws -> Void) async throws {
        let node = try #require(LocalNode.current)
        let settings = try ClientSettings(bootstrap: node.plaintext)
        let admin = try await Admin.open(settings)
        try await body(admin, settings)
        await admin.close()
    }

    @Test func topicsAreMadeDescribedGrownAndDeleted() async throws {
        try await with { admin, _ in
            try await admin.createTopic(NewTopic("one", partitions: 2))
            let again = await refusal { () async throws(ClientError) in
                try await admin.createTopic(NewTopic("one"))
            }
            #expect(again == .topicAlreadyExists)
            let made = try await admin.createTopics([NewTopic("one"), NewTopic("two")])
            #expect(made.map(\.errorCode) == [ErrorCode.topicAlreadyExists.rawValue, 0])
            let dry = try await admin.createTopics([NewTopic("dry")], validateOnly: true)
            #expect(dry.map(\.errorCode) == [0])
            try await admin.createPartitions("one", count: 9, validateOnly: true)
            try await admin.createPartitions("one", count: 3)
            let described = try await admin.describeTopics(["one", "dry"])
            let counts = Dictionary(
                uniqueKeysWithValues: described.map { ($0.name, $0.partitions.count) })
            #expect(counts == ["one": 3, "dry": 0])
            #expect(try await admin.listTopics().contains { $0.name == "one" })
            let deleted = try await admin.deleteTopics(["one", "dry"])
            let codes = Dictionary(uniqueKeysWithValues: deleted.map { ($0.name, $0.errorCode) })
            #expect(codes == ["one": 0, "dry": ErrorCode.unknownTopicOrPartition.rawValue])
        }
    }

    /// What the broker refused; nil if it did what was asked.
    private func refusal(_ body: () async throws(ClientError) -> Void) async -> ErrorCode? {
        do throws(ClientError) {
            try await body()
        } catch .refused(let code, _) {
            return code
        } catch {
            Issue.record("\(error)")
        }
        return nil
    }

    @Test func settingsAreSetAndPutBack() async throws {
        try await with { admin, _ in
            let configs = [(name: "retention.ms", value: String?.some("5000"))]
            try await admin.createTopic(NewTopic("set", configs: configs))
            func retention() async throws -> String? {
                try await admin.describeConfigs(of: .topic("set"))
                    .first { $0.name == "retention.ms" }?.value
            }
            #expect(try await retention() == "5000")
            let dry = [(key: "retention.ms", value: String?.some("7000"))]
            try await admin.alterConfigs(of: .topic("set"), dry, validateOnly: true)
            #expect(try await retention() == "5000")
            try await admin.alterConfigs(of: .topic("set"), [("retention.ms", "6000")])
            #expect(try await retention() == "6000")
            try await admin.alterConfigs(of: .topic("set"), [("retention.ms", nil)])
            #expect(try await retention() == "604800000")
        }
    }

    /// A broker's own settings and its disks are asked of the broker itself, whose address nobody
    /// has told the client yet.
    @Test func aBrokerIsAskedItself() async throws {
        try await with { admin, _ in
            let configs = try await admin.describeConfigs(of: .broker(NodeID(1)))
            #expect(configs.contains { $0.name == "node.id" && $0.value == "1" })
        }
        try await with { admin, _ in
            let folders = try await admin.describeLogDirs(of: NodeID(1))
            #expect(folders.count == 1)
            await #expect(
                throws: ClientError.unreachable("broker 7 is not reachable: no address is known")
            ) { try await admin.describeLogDirs(of: NodeID(7)) }
        }
    }

    @Test func theClusterIsDescribed() async throws {
        try await with { admin, _ in
            let cluster = try await admin.describeCluster()
            #expect(cluster.brokers.map(\.brokerId) == [1] && cluster.clusterId.count == 22)
        }
    }

    @Test func offsetsAreListedAndRecordsDeleted() async throws {
        try await with { admin, settings in
            try await admin.createTopic(NewTopic("log", partitions: 1))
            let producer = try await Producer.open(settings)
            let records = (0..<10).map { number in
                ProducerRecord(
                    topic: "log", value: [UInt8(number)],
                    timestamp: Timestamp(1_700_000_000_000 + Int64(number)))
            }
            for result in try await producer.send(records) { _ = try result.get() }
            await producer.close()
            let log = NamedPartition("log", 0)
            #expect(try await admin.listOffsets([log: .latest]) == [log: .success(Offset(10))])
            let time = StartPosition.time(Timestamp(1_700_000_000_004))
            #expect(try await admin.listOffsets([log: time]) == [log: .success(Offset(4))])
            let left = try await admin.deleteRecords(before: [log: Offset(3)])
            #expect(left == [log: .success(Offset(3))])
            // One that is not there does not hide the other.
            let none = NamedPartition("log", 9)
            let found = try await admin.listOffsets([log: .earliest, none: .earliest])
            #expect(found[log] == .success(Offset(3)))
            #expect(found[none] == .failure(.refused(.unknownTopicOrPartition, "log-9")))
        }
    }

    @Test func groupsAreResetListedAndDeleted() async throws {
        try await with { admin, _ in
            try await admin.createTopic(NewTopic("read", partitions: 1))
            let read = NamedPartition("read", 0)
            #expect(try await admin.describeGroup("readers") == nil)
            let codes = try await admin.resetOffsets(
                of: "readers", to: [read: CommittedOffset(offset: Offset(7), metadata: "m")])
            #expect(codes == [read: ErrorCode.none])
            #expect(
                try await admin.committedOffsets(of: "readers")
                    == [read: CommittedOffset(offset: Offset(7), metadata: "m")])
            #expect(try await admin.listGroups().contains { $0.groupId == "readers" })
            #expect(try await admin.describeGroup("readers")?.groupState == "Empty")
            try await admin.deleteGroup("readers")
            #expect(try await admin.listGroups().contains { $0.groupId == "readers" } == false)
        }
    }
}
