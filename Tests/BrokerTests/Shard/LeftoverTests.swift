import Broker
import MillraceBase
import MillraceProtocol
import Storage
import Testing

/// What a node finds in its directory of topics that are no more.
struct LeftoverTests {
    private func deleteRecords(_ harness: ShardHarness, before offset: Int64) throws {
        var partition = DeleteRecordsRequest.Topic.Partition()
        (partition.partitionIndex, partition.offset) = (0, offset)
        var topic = DeleteRecordsRequest.Topic()
        (topic.name, topic.partitions) = ("t", [partition])
        var request = DeleteRecordsRequest()
        request.topics = [topic]
        try harness.send(request, .deleteRecords, version: 2)
        let answer = try harness.answer(.deleteRecords, version: 2, as: DeleteRecordsResponse.self)
        #expect(answer.body.topics.first?.partitions.first?.lowWatermark == offset)
    }

    private func folders(_ harness: ShardHarness) throws -> [String] {
        try harness.fileSystem.list("/data").filter { $0.attributes.isDirectory }.map(\.name)
    }

    /// The topic is made again, written to, and the node killed: the record is there.
    private func checkThatTheNextTopicKeepsItsRecord(_ harness: ShardHarness) throws {
        harness.makeTopic("t", incarnation: 8)
        #expect(try harness.produce("t", ["new"]).baseOffset == 0)
        let next = try harness.restarted()
        next.makeTopic("t", incarnation: 8)
        try next.fetch("t")
        #expect(try next.fetched() == ["new"])
    }

    @Test func aTopicThatIsMadeAgainBeginsAtZeroAndKeepsItsRecords() throws {
        var harness = try ShardHarness()
        harness.makeTopic("t")
        _ = try harness.produce("t", ["a", "b", "c"])
        try deleteRecords(harness, before: 2)
        harness.pass(.seconds(61))
        harness = try harness.restarted()
        harness.deleteTopic(harness.makeTopic("t"))
        try checkThatTheNextTopicKeepsItsRecord(harness)
    }

    @Test func aCheckpointOfADeletedTopicIsOffTheDiskBeforeAnotherTakesItsName() throws {
        let harness = try ShardHarness()
        let id = harness.makeTopic("t")
        _ = try harness.produce("t", ["a", "b", "c"])
        try deleteRecords(harness, before: 2)
        harness.pass(.seconds(61))
        harness.losesCheckpoints = true
        harness.deleteTopic(id)
        try checkThatTheNextTopicKeepsItsRecord(harness)
    }

    /// Shards come to the same metadata at different times.
    @Test func aTopicThatIsMadeAgainLosesNothingToTheDeletionOfTheOldOne() throws {
        let harness = try ShardHarness(shards: 3)
        var id = harness.makeTopic("t")
        for incarnation in UInt64(8)..<20 {
            _ = try harness.produce("t", ["old"])
            harness.replaceTopic("t", id, incarnation: incarnation)
            #expect(try harness.produce("t", ["new"]).baseOffset == 0)
            try harness.fetch("t")
            #expect(try harness.fetched() == ["new"])
            id = TopicID(Uuid(high: incarnation, low: id.uuid.low))
        }
        #expect(try folders(harness).filter { !$0.hasSuffix("-delete") } == ["t-0"])
    }

    @Test(arguments: [1, 3])
    func aFolderOfATopicOfTheSameNameDoesNotStandInTheWay(shards: Int) throws {
        var harness = try ShardHarness(shards: shards)
        harness.makeTopic("t")
        _ = try harness.produce("t", ["old"])
        harness = try harness.restarted()
        harness.makeTopic("t", incarnation: 8)
        #expect(try harness.produce("t", ["new"]).baseOffset == 0)
        #expect(try folders(harness).contains { $0.hasPrefix("t-0.") && $0.hasSuffix("-stray") })
    }

    @Test func aFolderOfNoTopicIsPutAsideAndADeletedOneIsRemoved() throws {
        var harness = try ShardHarness()
        harness.makeTopic("gone")
        let deleted = harness.makeTopic("deleted")
        harness.makeTopic("kept", partitions: 2)
        harness.deleteTopic(deleted)
        harness = try harness.restarted()
        harness.makeTopic("kept", partitions: 2)
        let folders = try folders(harness)
        #expect(folders.filter { !$0.contains(".") }.sorted() == ["kept-0", "kept-1"])
        #expect(folders.contains { $0.hasPrefix("gone-0.") && $0.hasSuffix("-stray") })
        #expect(harness.removed.count == 1)
        #expect(harness.removed.allSatisfy { $0.hasPrefix("/data/deleted-0.") })
        // Topics that are made later are none of earlier runs' business.
        harness.makeTopic("later")
        #expect(harness.removed.count == 1)
    }
}
