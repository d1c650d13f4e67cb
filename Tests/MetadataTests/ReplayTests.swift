import Metadata
import MillraceBase
import MillraceProtocol
import Testing

@Suite struct ReplayTests {
    @Test(arguments: ["static", "dynamic"])
    func everyRecordThatKafkaWroteIsWrittenBackByteForByte(log: String) throws {
        var kinds: Set<UInt8> = []
        for (offset, bytes) in try Vectors.records("\(log).records") {
            let record = try MetadataRecord(bytes)
            kinds.insert(bytes[1])
            #expect(try record.bytes() == bytes, "at \(offset.rawValue): \(record)")
        }
        #expect(kinds.count >= 10)
    }

    @Test(
        arguments: [
            ("static", [283, 561, 874, 1159, 1434]), ("dynamic", [263, 947, 1231, 1776, 2611]),
        ] as [(String, [Int64])])
    func replayGivesWhatKafkaPutIntoItsSnapshots(log: String, ends: [Int64]) throws {
        var image = ClusterImage()
        var delta = ClusterDelta()
        var ends = ends[...]
        for (offset, bytes) in try Vectors.records("\(log).records") {
            while let end = ends.first, offset.rawValue >= end {
                ends.removeFirst()
                try compare(image, with: try Vectors.snapshot(log, end: end))
            }
            try image.apply(MetadataRecord(bytes), at: offset, into: &delta)
        }
        #expect(ends.isEmpty)
        #expect(!image.isInTransaction)
    }

    private func compare(_ image: ClusterImage, with expected: ClusterImage) throws {
        #expect(Array(image.topicIDs.keys) == Array(expected.topicIDs.keys))
        for (id, topic) in expected.topics { #expect(image.topics[id] == topic) }
        #expect(image.topics.count == expected.topics.count)
        #expect(image.configs == expected.configs)
        #expect(image.features == expected.features)
        #expect(image.opaque == expected.opaque)
        #expect(image.nextProducerID == expected.nextProducerID)
        #expect(image.brokers.count == expected.brokers.count)
        for (id, broker) in expected.brokers {
            let ours = try #require(image.brokers[id])
            #expect(normal(ours.registration) == normal(broker.registration))
        }
        #expect(Array(image.controllers.keys) == Array(expected.controllers.keys))
    }

    /// Kafka writes endpoints and features of a snapshot in another order.
    private func normal(_ record: RegisterBrokerRecord) -> RegisterBrokerRecord {
        var record = record
        record.endPoints.sort { $0.name < $1.name }
        record.features.sort { $0.name < $1.name }
        record.cordonedLogDirs = record.cordonedLogDirs ?? []
        return record
    }

    @Test(arguments: [("static", 1434), ("dynamic", 2611)] as [(String, Int64)])
    func aSnapshotOfAnImageGivesTheSameImage(log: String, end: Int64) throws {
        let image = try Vectors.snapshot(log, end: end)
        let bytes = try image.snapshotRecords().map { try $0.bytes() }
        let again = try ClusterImage(
            snapshot: bytes.map { try MetadataRecord($0) }, end: Offset(end))
        #expect(again == image)
    }

    @Test func kindsWithoutAMeaningSurviveASnapshotAndGoWhenRemoved() throws {
        var image = ClusterImage()
        var delta = ClusterDelta()
        var user = UserScramCredentialRecord()
        (user.name, user.mechanism, user.iterations) = ("alice", 1, 4096)
        for (offset, mechanism) in [1, 2].enumerated() {
            user.mechanism = Int8(mechanism)
            try image.apply(framed(user), at: Offset(Int64(offset)), into: &delta)
        }
        user.iterations = 8192
        try image.apply(framed(user), at: Offset(2), into: &delta)
        #expect(image.opaque.count == 2, "the second replaces the first of its mechanism")
        #expect(delta.hasOpaqueChange)
        let again = try ClusterImage(snapshot: image.snapshotRecords(), end: image.end)
        #expect(again.opaque == image.opaque)
        var removal = RemoveUserScramCredentialRecord()
        (removal.name, removal.mechanism) = ("alice", 2)
        try image.apply(framed(removal), at: Offset(3), into: &delta)
        #expect(image.opaque.count == 1)
    }

    @Test func aKindOfALaterVersionIsKeptAsItCame() throws {
        let bytes: [UInt8] = [1, 99, 7, 1, 2, 3]
        var image = ClusterImage()
        var delta = ClusterDelta()
        try image.apply(MetadataRecord(bytes), at: .zero, into: &delta)
        #expect(try image.snapshotRecords().map { try $0.bytes() } == [bytes])
    }

    private func framed(_ record: some Message) throws -> MetadataRecord {
        var writer = ByteWriter()
        try MetadataFraming.write(record, version: 0, into: &writer)
        return try MetadataRecord(writer.array())
    }

    @Test func anAbortedTransactionNeverHappened() throws {
        var image = try Vectors.snapshot("static", end: 1434)
        let before = image
        var delta = ClusterDelta()
        var topic = TopicRecord()
        (topic.name, topic.topicId) = ("new", Uuid(high: 1, low: 1))
        try image.apply(.beginTransaction(.init()), at: Offset(1434), into: &delta)
        try image.apply(.topic(topic), at: Offset(1435), into: &delta)
        #expect(image.isInTransaction && image.topic(named: "new") != nil)
        try image.apply(.abortTransaction(.init()), at: Offset(1436), into: &delta)
        #expect(!image.isInTransaction && image.topics == before.topics)
        #expect(image.end == Offset(1437))
    }

    @Test func theDeltaNamesWhatChangedAndNoMore() throws {
        var image = try Vectors.snapshot("static", end: 1434)
        var delta = ClusterDelta()
        let (id, topic) = try #require(image.topics.first { $0.value.partitions.count > 1 })
        var change = PartitionChangeRecord()
        (change.topicId, change.partitionId, change.leader) = (id.uuid, 1, -1)
        try image.apply(.partitionChange(change), at: image.end, into: &delta)
        #expect(Array(delta.topics.keys) == [id])
        #expect(delta.topics[id]?.partitions == [1] && delta.topics[id]?.isCreated == false)
        #expect(image.partition(TopicPartition(topic: id, index: 1))?.leader == NodeID.none)
        #expect(
            image.topics[id]?.partitions[1].leaderEpoch
                == LeaderEpoch(topic.partitions[1].leaderEpoch.rawValue + 1))
        var removal = RemoveTopicRecord()
        removal.topicId = id.uuid
        try image.apply(.removeTopic(removal), at: image.end, into: &delta)
        #expect(delta.topics[id]?.isDeleted == true)
        #expect(delta.topics[id]?.partitions.count == topic.partitions.count)
        #expect(delta.configs.isEmpty && delta.brokers.isEmpty)
        #expect(image.topic(named: topic.name) == nil)
    }

    @Test func aTopicMadeAndDeletedBetweenPublicationsNeverWas() throws {
        var image = ClusterImage()
        var delta = ClusterDelta()
        var topic = TopicRecord()
        (topic.name, topic.topicId) = ("a", Uuid(high: 1, low: 1))
        var removal = RemoveTopicRecord()
        removal.topicId = topic.topicId
        try image.apply(.topic(topic), at: Offset(0), into: &delta)
        try image.apply(.removeTopic(removal), at: Offset(1), into: &delta)
        #expect(delta.topics.isEmpty)
    }

    @Test func recordsOfWhatIsNotThereAreRefused() throws {
        var delta = ClusterDelta()
        var partition = PartitionRecord()
        (partition.topicId, partition.partitionId) = (Uuid(high: 1, low: 1), 0)
        var fence = FenceBrokerRecord()
        (fence.id, fence.epoch) = (1, 1)
        let bad: [MetadataRecord] = [
            .partition(partition), .partitionChange(.init()), .removeTopic(.init()),
            .fenceBroker(fence), .brokerRegistrationChange(.init()), .unregisterBroker(.init()),
            .endTransaction(.init()), .abortTransaction(.init()),
        ]
        for record in bad {
            var image = ClusterImage()
            #expect(throws: MetadataError.self) {
                try image.apply(record, at: .zero, into: &delta)
            }
        }
        #expect(throws: MetadataError.self) { try MetadataRecord([1, 2, 0]) }
        #expect(throws: MetadataError.self) { try MetadataRecord([]) }
    }

    @Test func aThousandChangesAmongAMillionPartitionsTouchAThousandPaths() throws {
        var image = ClusterImage()
        var delta = ClusterDelta()
        var offset = Offset.zero
        for number in 0..<100_000 {
            var topic = TopicRecord()
            (topic.name, topic.topicId) = ("t\(number)", Uuid(high: UInt64(number), low: 1))
            try image.apply(.topic(topic), at: offset, into: &delta)
            var partition = PartitionRecord()
            partition.topicId = topic.topicId
            (partition.replicas, partition.isr, partition.leader) = ([1], [1], 1)
            for index in 0..<10 {
                partition.partitionId = Int32(index)
                try image.apply(.partition(partition), at: offset, into: &delta)
            }
            offset = offset + 1
        }
        var random = SeededGenerator(seed: 3)
        var copied = 0
        delta = ClusterDelta()
        let published = image
        for _ in 0..<1000 {
            let before = image.topics
            var change = PartitionChangeRecord()
            change.topicId = Uuid(high: UInt64.random(in: 0..<100_000, using: &random), low: 1)
            (change.partitionId, change.leader) = (Int32.random(in: 0..<10, using: &random), 2)
            try image.apply(.partitionChange(change), at: offset, into: &delta)
            // Looking at every node is dear: once in a hundred is enough.
            if copied == 0 { copied = image.topics.nodesNotShared(with: before) }
        }
        #expect(copied >= 1 && copied <= 5, "one path of the tree")
        #expect(image.topics.nodesNotShared(with: published.topics) <= 5 * 1000)
        #expect(delta.topics.count <= 1000)
        #expect(published.topics.count == 100_000)
    }
}
