import Broker
import MillraceBase
import MillraceProtocol
import Testing

/// A cluster of one broker with topics a (3 partitions), b (2) and led (leader fenced).
private struct OneBroker: ClusterSeen {
    static let idOfA = TopicID(Uuid(high: 1, low: 1))
    var clusterID: String { "cluster" }
    var controllerID: NodeID { NodeID(1) }

    func brokers() -> [SeenBroker] {
        [
            SeenBroker(id: NodeID(1), host: "h", port: 9, rack: "r1", isFenced: false),
            SeenBroker(id: NodeID(2), host: "h", port: 10, rack: nil, isFenced: true),
        ]
    }

    func topic(named name: String) -> SeenTopic? {
        let leader = NodeID(name == "led" ? 2 : 1)
        guard let count = ["a": 3, "b": 2, "led": 1][name] else { return nil }
        return SeenTopic(
            name: name, id: name == "a" ? Self.idOfA : TopicID(Uuid(high: 2, low: 2)),
            partitions: (0..<count).map {
                SeenPartition(
                    index: Int32($0), leader: leader, leaderEpoch: LeaderEpoch(0),
                    replicas: [leader], isr: [leader])
            })
    }

    func topicName(of id: TopicID) -> String? { id == Self.idOfA ? "a" : nil }
    func topicNames() -> [String] { ["a", "b", "led"] }
}

@Suite struct MetadataAnswersTests {
    private func metadata(
        _ topics: [MetadataRequest.Topic]?, version: Int16 = 12, creates: Bool = true
    ) -> MetadataAnswer {
        var request = MetadataRequest()
        request.topics = topics
        return MetadataAnswer(
            request, version: version, cluster: OneBroker(), createsTopics: creates)
    }

    private func topic(_ name: String?, _ id: Uuid = .zero) -> MetadataRequest.Topic {
        var topic = MetadataRequest.Topic()
        (topic.name, topic.topicId) = (name, id)
        return topic
    }

    @Test func anEmptyListMeansAllTopicsInVersionZeroAndNoneLater() {
        #expect(metadata([], version: 0).response.topics.map(\.name) == ["a", "b", "led"])
        #expect(metadata([], version: 1).response.topics.isEmpty)
        #expect(metadata(nil, version: 1).response.topics.count == 3)
    }

    @Test func fencedBrokersAreNotToldAndWhatTheyLeadHasNoLeader() {
        let answer = metadata([topic("led")]).response
        #expect(answer.brokers.map(\.nodeId) == [1])
        #expect(answer.topics.first?.partitions.first?.errorCode == 5)
        #expect(answer.topics.first?.partitions.first?.offlineReplicas == [2])
    }

    @Test func topicsAreFoundByIdFromVersionTwelve() {
        let id = OneBroker.idOfA.uuid
        #expect(metadata([topic(nil, id)]).response.topics.first?.name == "a")
        let unknown = Uuid(high: 9, low: 9)
        let both = metadata([topic("b", unknown)]).response.topics
        #expect(both.map(\.errorCode) == [100] && both.first?.name == nil)
        let early = metadata([topic(nil, id)], version: 10).response
        #expect(early.topics.map(\.errorCode) == [42] && early.topics.first?.name == "")
        #expect(early.brokers.isEmpty && early.controllerId == -1 && early.clusterId == nil)
    }

    @Test func onlyValidMissingTopicsAreCreatedAndOnlyWhereTheNodeAllowsIt() {
        let asked = [topic("new"), topic("bad name"), topic("a"), topic("new")]
        let answer = metadata(asked)
        #expect(answer.created == ["new"])
        #expect(answer.response.topics.map(\.errorCode) == [3, 17, 0])
        #expect(metadata(asked, creates: false).created.isEmpty)
    }

    private func page(
        _ names: [String], limit: Int32, from cursor: (String, Int32)? = nil
    ) -> DescribeTopicPartitionsResponse {
        var request = DescribeTopicPartitionsRequest()
        request.topics = names.map {
            var topic = DescribeTopicPartitionsRequest.Topic()
            topic.name = $0
            return topic
        }
        request.responsePartitionLimit = limit
        if let cursor {
            var start = DescribeTopicPartitionsRequest.Cursor()
            (start.topicName, start.partitionIndex) = cursor
            request.cursor = start
        }
        return TopicPartitionsAnswer(request, cluster: OneBroker(), limit: 2000).response
    }

    @Test func partitionsComeInPagesThatTheCursorJoins() {
        let first = page(["b", "a", "b"], limit: 2)
        #expect(first.topics.map { $0.partitions.count } == [2])
        #expect(first.nextCursor?.topicName == "a" && first.nextCursor?.partitionIndex == 2)
        let second = page(["a", "b"], limit: 2, from: ("a", 2))
        #expect(second.topics.map { $0.partitions.count } == [1, 1])
        #expect(second.nextCursor?.topicName == "b" && second.nextCursor?.partitionIndex == 1)
        #expect(page(["a", "b"], limit: 2, from: ("b", 1)).nextCursor == nil)
        let whole = page(["a", "b"], limit: 3)
        #expect(whole.nextCursor?.topicName == "b" && whole.nextCursor?.partitionIndex == 0)
        #expect(page(["a"], limit: -5).topics.first?.partitions.count == 1)
        #expect(
            page(["a", "b"], limit: 9, from: ("a", 9)).topics.map { $0.partitions.count } == [0, 2])
    }

    @Test func aCursorOutsideTheTopicsAskedForIsRefused() {
        #expect(page(["b"], limit: 9, from: ("a", 1)).topics.map(\.errorCode) == [42])
        #expect(page(["a"], limit: 9, from: ("a", -1)).topics.map(\.errorCode) == [42])
        #expect(page([], limit: 9, from: ("b", 1)).topics.map(\.name) == ["b", "led"])
        #expect(page(["nope", "bad name"], limit: 9).topics.map(\.errorCode) == [17, 3])
    }
}
