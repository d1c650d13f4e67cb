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
            try await admin.createTopic("one", partitions: 2, configs: [("retention.ms", "5000")])
            await #expect(throws: ClientError.self) { try await admin.createTopic("one") }
            try await admin.createPartitions("one", count: 3)
            let described = try await admin.describeTopics(["one"])
            #expect(described.map(\.partitions.count) == [3])
            #expect(try await admin.listTopics().contains { $0.name == "one" })
            let configs = try await admin.describeConfigs(type: 2, name: "one")
            #expect(configs.first { $0.name == "retention.ms" }?.value == "5000")
            try await admin.alterConfigs(type: 2, name: "one", [("retention.ms", 0, "6000")])
            let after = try await admin.describeConfigs(type: 2, name: "one")
            #expect(after.first { $0.name == "retention.ms" }?.value == "6000")
            try await admin.deleteTopics(["one"])
            await #expect(throws: ClientError.self) { try await admin.describeTopics(["one"]) }
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
            try await admin.createTopic("log", partitions: 1)
            let producer = try await Producer.open(settings)
            let records = (0..<10).map { number in
                ProducerRecord(
                    topic: "log", value: [UInt8(number)],
                    timestamp: Timestamp(1_700_000_000_000 + Int64(number)))
            }
            for result in try await producer.send(records) { _ = try result.get() }
            await producer.close()
            let log = NamedPartition("log", 0)
            #expect(try await admin.listOffsets([log: .latest]) == [log: Offset(10)])
            let time = StartPosition.time(Timestamp(1_700_000_000_004))
            #expect(try await admin.listOffsets([log: time]) == [log: Offset(4)])
            #expect(try await admin.deleteRecords(before: [log: Offset(3)]) == [log: Offset(3)])
            #expect(try await admin.listOffsets([log: .earliest]) == [log: Offset(3)])
        }
    }

    @Test func groupsAreResetListedAndDeleted() async throws {
        try await with { admin, _ in
            try await admin.createTopic("read", partitions: 1)
            let read = NamedPartition("read", 0)
            try await admin.resetOffsets(
                of: "readers", to: [read: CommittedOffset(offset: Offset(7), metadata: "m")])
            #expect(
                try await admin.committedOffsets(of: "readers")
                    == [read: CommittedOffset(offset: Offset(7), metadata: "m")])
            #expect(try await admin.listGroups().contains { $0.groupId == "readers" })
            #expect(try await admin.describeGroup("readers").groupState == "Empty")
            try await admin.deleteGroup("readers")
            #expect(try await admin.listGroups().contains { $0.groupId == "readers" } == false)
        }
    }
}
