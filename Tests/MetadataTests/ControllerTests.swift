import Metadata
import MillraceBase
import MillraceProtocol
import Testing

@Suite struct ControllerTests {
    @Test func aNewClusterBeginsAsKafkasDoes() throws {
        let recorded = try Vectors.records("static.records").prefix(10).map {
            try MetadataRecord($0.bytes)
        }
        // That cluster was formatted with a SCRAM user, too.
        let expected = recorded.filter { if case .other = $0 { false } else { true } }
        let controller = Controller(
            settings: ControllerSettings(clusterID: Cluster.id), rules: StubRules())
        let records = controller.activationRecords(
            bootstrap: Bootstrap.records(), image: ClusterImage())
        #expect(records == expected)
        var cluster = try Cluster()
        #expect(
            controller.activationRecords(bootstrap: Bootstrap.records(), image: cluster.image)
                .isEmpty)
        try cluster.replay([.beginTransaction(.init())])
        let aborts = controller.activationRecords(
            bootstrap: Bootstrap.records(), image: cluster.image)
        try cluster.replay(aborts)
        #expect(aborts.count == 1 && !cluster.image.isInTransaction)
    }

    @Test func decidingChangesNothing() throws {
        let cluster = try Cluster()
        var topic = CreateTopicsRequest.Topic()
        (topic.name, topic.numPartitions, topic.replicationFactor) = ("a", 3, 1)
        var request = CreateTopicsRequest()
        request.topics = [topic]
        var (first, second) = (SeededGenerator(seed: 5), SeededGenerator(seed: 5))
        let decision = cluster.decide(.createTopics(request), &first)
        #expect(decision == cluster.decide(.createTopics(request), &second))
        #expect(decision.records.count == 4)
        #expect(cluster.image.topics.isEmpty)
    }

    @Test func aBrokersEpochIsTheOffsetOfItsRegistration() throws {
        var cluster = try Cluster()
        let before = cluster.nextOffset
        cluster.skipped = 1  // a leader change lies between
        let epoch = try cluster.register(2, rack: "r2")
        #expect(epoch == before.rawValue + 1)
        #expect(cluster.image.brokers[NodeID(2)]?.isFenced == true)
        #expect(cluster.image.brokers[NodeID(2)]?.rack == "r2")
        #expect(try cluster.heartbeat(2) { $0.currentMetadataOffset = epoch - 1 }.isFenced)
        #expect(try cluster.heartbeat(2).isFenced == false)
        #expect(cluster.image.isActive(NodeID(2)))
        let stale = try cluster.heartbeat(2) { $0.brokerEpoch = epoch - 1 }
        #expect(stale.errorCode == ErrorCode.staleBrokerEpoch.rawValue)
    }

    @Test func anotherClustersBrokerIsNotRegistered() throws {
        var cluster = try Cluster()
        var request = BrokerRegistrationRequest()
        (request.brokerId, request.clusterId) = (7, "another")
        guard case .registerBroker(let response) = try cluster.ask(.registerBroker(request)) else {
            Issue.record("no answer")
            return
        }
        #expect(response.errorCode == ErrorCode.inconsistentClusterId.rawValue)
        #expect(!cluster.image.brokers.contains(NodeID(7)))
    }

    @Test func aCleanStopLeavesWhatKafkaLeaves() throws {
        var cluster = try Cluster()
        try cluster.create("a", partitions: 2)
        var response = try cluster.heartbeat(1) { $0.wantShutDown = true }
        #expect(!response.shouldShutDown)
        let id = try #require(cluster.image.topicIDs["a"])
        for partition in cluster.image.topics[id]?.partitions ?? [] {
            #expect(partition.leader == .none && partition.isr.isEmpty)
            #expect(partition.eligibleLeaders == [NodeID(1)])
            #expect(partition.lastKnownEligibleLeaders == [NodeID(1)])
            #expect(partition.leaderEpoch == LeaderEpoch(1))
        }
        response = try cluster.heartbeat(1) { $0.wantShutDown = true }
        #expect(response.shouldShutDown && response.isFenced)
        #expect(cluster.image.brokers[NodeID(1)]?.isFenced == true)
        _ = try cluster.register(1)
        try cluster.heartbeat(1)
        let partition = try #require(cluster.image.topics[id]?.partitions.last)
        #expect(partition.leader == NodeID(1) && partition.isr == [NodeID(1)])
        #expect(partition.eligibleLeaders.isEmpty && partition.lastKnownEligibleLeaders.isEmpty)
        #expect(partition.leaderEpoch == LeaderEpoch(2))
    }

    @Test func aBrokerThatWasKilledLeadsAgainInANewEpoch() throws {
        var cluster = try Cluster()
        try cluster.create("a")
        let epoch = cluster.image.brokers[NodeID(1)]?.epoch ?? -1
        #expect(try cluster.register(1) > epoch)
        let id = try #require(cluster.image.topicIDs["a"])
        #expect(cluster.image.topics[id]?.partitions[0].leader == NodeID.none)
        try cluster.heartbeat(1)
        #expect(cluster.image.topics[id]?.partitions[0].leader == NodeID(1))
        #expect(cluster.image.topics[id]?.partitions[0].leaderEpoch == LeaderEpoch(2))
    }

    @Test func followersTakeOverAndTheISRShrinks() throws {
        var cluster = try Cluster(brokers: 3)
        try cluster.create("a", partitions: 3, replicas: 3)
        try cluster.heartbeat(2) { $0.wantFence = true }
        let id = try #require(cluster.image.topicIDs["a"])
        for partition in cluster.image.topics[id]?.partitions ?? [] {
            #expect(partition.leader != NodeID(2) && partition.leader != .none)
            #expect(partition.isr.count == 2 && !partition.isr.contains(NodeID(2)))
            #expect(partition.eligibleLeaders.isEmpty, "the ISR is as large as it is to be")
            #expect(
                partition.leaderEpoch == LeaderEpoch(partition.replicas[0] == NodeID(2) ? 1 : 0))
        }
    }

    @Test func placementSpreadsLeadersAndReplicas() throws {
        var cluster = try Cluster(brokers: 3)
        try cluster.create("a", partitions: 6, replicas: 2)
        let partitions = try #require(cluster.image.topic(named: "a")).partitions
        for broker in 1...3 {
            #expect(partitions.count { $0.leader == NodeID(Int32(broker)) } == 2)
            #expect(partitions.count { $0.replicas.contains(NodeID(Int32(broker))) } == 4)
        }
        for partition in partitions { #expect(Set(partition.replicas).count == 2) }
    }

    @Test func replicasLieInDifferentRacks() throws {
        var cluster = try Cluster(brokers: 1)
        for (id, rack) in [(1, "a"), (2, "a"), (3, "b"), (4, "b")] as [(Int32, String)] {
            _ = try cluster.register(id, rack: rack)
            try cluster.heartbeat(id)
        }
        try cluster.create("t", partitions: 8, replicas: 2)
        for partition in try #require(cluster.image.topic(named: "t")).partitions {
            let racks = partition.replicas.map { cluster.image.brokers[$0]?.rack ?? "" }
            #expect(Set(racks).count == 2, "\(partition.replicas)")
        }
    }

    @Test func namesThatDifferByDotAndUnderscoreOnlyCollide() throws {
        var cluster = try Cluster()
        try cluster.create("a.b_c")
        var request = CreateTopicsRequest()
        request.topics = ["a_b.c", "a.b.d", "a_b_d", "ab"].map {
            var topic = CreateTopicsRequest.Topic()
            (topic.name, topic.numPartitions, topic.replicationFactor) = ($0, 1, 1)
            return topic
        }
        guard case .createTopics(let response) = try cluster.ask(.createTopics(request)) else {
            Issue.record("no answer")
            return
        }
        #expect(response.topics.map(\.errorCode) == [17, 0, 17, 0])
        #expect(
            response.topics[0].errorMessage
                == "Topic 'a_b.c' collides with existing topic: a.b_c")
    }

    @Test func missingTopicsOfKafkasOwnAreMadeAsTheyAreToBe() throws {
        var cluster = try Cluster()
        cluster.controller.settings.internalTopics["__consumer_offsets"] = .init(
            partitions: 4, replicationFactor: 1,
            configs: [("cleanup.policy", "compact"), ("segment.bytes", "104857600")])
        try cluster.ask(.createMissingTopics(["__consumer_offsets", "plain"]))
        #expect(cluster.image.topic(named: "__consumer_offsets")?.partitions.count == 4)
        #expect(cluster.image.topic(named: "plain")?.partitions.count == 2)
        #expect(
            cluster.image.configs(of: ConfigResource(.topic, "__consumer_offsets")) == [
                "cleanup.policy": "compact", "segment.bytes": "104857600",
            ])
        let directory = cluster.image.topic(named: "plain")?.partitions[0].directories
        #expect(directory == [Uuid(high: 1, low: 9)])
    }

    @Test func producerIdsComeInBlocksAndNeverTwice() throws {
        var cluster = try Cluster()
        var request = AllocateProducerIdsRequest()
        (request.brokerId, request.brokerEpoch) = (1, cluster.image.brokers[NodeID(1)]?.epoch ?? -1)
        for block in 0..<3 {
            let reply = try cluster.ask(.allocateProducerIDs(request))
            guard case .allocateProducerIDs(let response) = reply else { continue }
            #expect(response.producerIdStart == Int64(block) * 1000)
            #expect(response.producerIdLen == 1000 && response.errorCode == 0)
        }
        let again = try ClusterImage(
            snapshot: cluster.image.snapshotRecords(), end: cluster.image.end)
        #expect(again.nextProducerID == 3000)
        request.brokerEpoch = 99999
        guard case .allocateProducerIDs(let stale) = try cluster.ask(.allocateProducerIDs(request))
        else { return }
        #expect(stale.errorCode == ErrorCode.staleBrokerEpoch.rawValue)
    }

    @Test func listsAreAppendedToAndSubtractedFrom() throws {
        var cluster = try Cluster()
        try cluster.create("a")
        let resource = ConfigResource(.topic, "a")
        func change(_ operation: Int8, _ value: String?) throws -> String? {
            var config = IncrementalAlterConfigsRequest.Resource.Config()
            (config.name, config.configOperation) = ("cleanup.policy", operation)
            config.value = value
            var asked = IncrementalAlterConfigsRequest.Resource()
            (asked.resourceType, asked.resourceName, asked.configs) = (2, "a", [config])
            var request = IncrementalAlterConfigsRequest()
            request.resources = [asked]
            try cluster.ask(.incrementalAlterConfigs(request))
            return cluster.image.configs(of: resource)["cleanup.policy"]
        }
        #expect(try change(2, "compact") == "delete,compact")
        #expect(try change(2, "compact") == "delete,compact")
        #expect(try change(3, "delete") == "compact")
        #expect(try change(3, "delete") == "compact")
        #expect(try change(1, nil) == nil)
        #expect(cluster.image.configs[resource] == nil)
    }

    @Test func aListIsNotAppendedToBeyondWhatARecordHolds() throws {
        var cluster = try Cluster()
        try cluster.create("a")
        func append(from first: Int) throws -> IncrementalAlterConfigsResponse.Response? {
            var config = IncrementalAlterConfigsRequest.Resource.Config()
            (config.name, config.configOperation) = ("leader.replication.throttled.replicas", 2)
            config.value = (first..<first + 3_000).map { "\($0):1" }.joined(separator: ",")
            var asked = IncrementalAlterConfigsRequest.Resource()
            (asked.resourceType, asked.resourceName, asked.configs) = (2, "a", [config])
            var request = IncrementalAlterConfigsRequest()
            request.resources = [asked]
            guard
                case .incrementalAlterConfigs(let response) = try cluster.ask(
                    .incrementalAlterConfigs(request))
            else { return nil }
            return response.responses.first
        }
        #expect(try append(from: 10_000)?.errorCode == 0)
        let refused = try #require(try append(from: 20_000))
        #expect(refused.errorCode == ErrorCode.invalidConfig.rawValue)
        #expect(refused.errorMessage?.contains("maximum value size of 32767 bytes") == true)
    }

    @Test func aRequestAddsNoMoreThanTenThousandPartitions() throws {
        var cluster = try Cluster()
        var request = CreatePartitionsRequest()
        for name in ["a", "b", "c"] {
            try cluster.create(name)
            var topic = CreatePartitionsRequest.Topic()
            (topic.name, topic.count, topic.assignments) = (name, 4_001, nil)
            request.topics.append(topic)
        }
        guard case .createPartitions(let response) = try cluster.ask(.createPartitions(request))
        else { return }
        #expect(response.results.map(\.errorCode) == [0, 0, ErrorCode.policyViolation.rawValue])
    }

    @Test func whatIsSetForAllBrokersIsKeptUnderNoName() throws {
        var cluster = try Cluster()
        var config = AlterConfigsRequest.Resource.Config()
        (config.name, config.value) = ("log.retention.ms", "5000")
        var request = AlterConfigsRequest()
        for name in ["", "1", "99", "x"] {
            var asked = AlterConfigsRequest.Resource()
            (asked.resourceType, asked.resourceName, asked.configs) = (4, name, [config])
            request.resources.append(asked)
        }
        guard case .alterConfigs(let response) = try cluster.ask(.alterConfigs(request)) else {
            Issue.record("no answer")
            return
        }
        #expect(response.responses.map(\.errorCode) == [0, 0, 102, 42])
        #expect(
            cluster.image.configs(of: ConfigResource(.broker, "")) == [
                "log.retention.ms": "5000", "min.insync.replicas": "1",
            ], "the cluster's smallest ISR stays set")
        #expect(cluster.image.configs(of: ConfigResource(.broker, "1")).count == 1)
    }

    @Test func aDeletedTopicTakesItsSettingsWithIt() throws {
        var cluster = try Cluster()
        try cluster.create("a")
        var config = AlterConfigsRequest.Resource.Config()
        (config.name, config.value) = ("retention.ms", "5000")
        var asked = AlterConfigsRequest.Resource()
        (asked.resourceType, asked.resourceName, asked.configs) = (2, "a", [config])
        var request = AlterConfigsRequest()
        request.resources = [asked]
        try cluster.ask(.alterConfigs(request))
        #expect(cluster.image.configs(of: ConfigResource(.topic, "a")).count == 1)
        var deletion = DeleteTopicsRequest()
        deletion.topicNames = ["a"]
        try cluster.ask(.deleteTopics(deletion, version: 5))
        #expect(cluster.image.configs(of: ConfigResource(.topic, "a")).isEmpty)
        cluster.controller.settings.deletesTopics = false
        try cluster.create("b")
        deletion.topicNames = ["b"]
        guard
            case .deleteTopics(let response) =
                try cluster.ask(.deleteTopics(deletion, version: 5))
        else { return }
        #expect(response.responses.map(\.errorCode) == [73])
    }
}
