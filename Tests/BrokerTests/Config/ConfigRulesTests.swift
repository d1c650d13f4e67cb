import Broker
import Testing

@Suite struct ConfigRulesTests {
    private let rules: ConfigRules

    init() throws {
        rules = ConfigRules(view: BrokerConfigView(fixed: try ServerConfig()))
    }

    @Test(arguments: [
        (
            "retention.ms", "x",
            "Invalid value x for configuration retention.ms: "
                + "Not a number of type LONG"
        ),
        (
            "retention.ms", "-2",
            "Invalid value -2 for configuration retention.ms: "
                + "Value must be at least -1"
        ),
        (
            "cleanup.policy", "shred",
            "Invalid value shred for configuration cleanup.policy: "
                + "String must be one of: compact, delete"
        ),
        (
            "min.cleanable.dirty.ratio", "1.5",
            "Invalid value 1.5 for configuration "
                + "min.cleanable.dirty.ratio: Value must be no more than 1"
        ),
        (
            "compression.gzip.level", "10",
            "Invalid value 10 for configuration "
                + "compression.gzip.level: Value must be between 1 and 9 or equal to -1"
        ),
        ("", "1", "Unknown topic config name: "),
        (
            "remote.storage.enable", "true",
            "Tiered Storage functionality is disabled in the broker. "
                + "Topic cannot be configured with remote log storage."
        ),
        (
            "leader.replication.throttled.replicas", "x",
            "Invalid value [x] for configuration "
                + "leader.replication.throttled.replicas: leader.replication.throttled.replicas "
                + "must be the literal '*' or a list of replicas in the following format: "
                + "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
        ),
    ])
    func aTopicsSettingIsRefusedInKafkasWords(name: String, value: String, text: String) {
        #expect(rules.refusal(ofTopic: [name: value]) == text)
    }

    @Test func goodTopicSettingsPass() {
        let good = [
            "cleanup.policy": "delete, compact", "retention.ms": "-1", "min.insync.replicas": "5",
            "leader.replication.throttled.replicas": "0:1,1:1", "compression.type": "zstd",
        ]
        #expect(rules.refusal(ofTopic: good) == nil)
        #expect(rules.refusal(ofTopic: ["cleanup.policy": ""]) == nil)
        #expect(
            rules.refusal(ofTopic: ["retention.ms": nil])
                == "Null value not supported for topic configs: retention.ms")
        #expect(
            rules.refusal(ofTopic: ["min.compaction.lag.ms": "10", "max.compaction.lag.ms": "1"])
                == "conflict topic config setting min.compaction.lag.ms (10) > "
                + "max.compaction.lag.ms (1)")
    }

    @Test func aGroupsSettingsKeepToTheNodesLimits() {
        #expect(
            rules.refusal(ofGroup: ["consumer.session.timeout.ms": "1"])
                == "consumer.session.timeout.ms must be greater than or equal to "
                + "group.consumer.min.session.timeout.ms")
        #expect(
            rules.refusal(ofGroup: ["streams.num.standby.replicas": "9"])
                == "streams.num.standby.replicas must be less than or equal to "
                + "group.streams.max.standby.replicas")
        #expect(rules.refusal(ofGroup: ["share.auto.offset.reset": "by_duration:PT1H"]) == nil)
        #expect(rules.refusal(ofGroup: ["share.auto.offset.reset": "x"])?.isEmpty == false)
        #expect(rules.refusal(ofGroup: ["no.such": "1"]) == "Unknown group config name: no.such")
        #expect(rules.refusal(ofGroup: ["consumer.session.timeout.ms": "46000"]) == nil)
    }

    @Test func aBrokersReadOnlySettingsCannotBeChanged() {
        #expect(rules.refusal(ofBroker: ["num.partitions": "2"], forAll: true) != nil)
        #expect(rules.refusal(ofBroker: ["log.retention.ms": "2"], forAll: true) == nil)
        #expect(rules.refusal(ofBroker: ["ssl.client.auth": "none"], forAll: true) != nil)
        #expect(rules.refusal(ofBroker: ["ssl.client.auth": "none"], forAll: false) == nil)
        #expect(rules.refusal(ofBroker: ["log.retention.ms": "x"], forAll: true) != nil)
    }

    @Test(arguments: [
        (0.5, "0.5"), (1.7976931348623157E308, "1.7976931348623157E308"),
        (
            2.147483647e9,
            "2.147483647E9"
        ), (0.0001, "1.0E-4"), (100, "100.0"), (1e7, "1.0E7"),
    ])
    func numbersAreWrittenAsJavaWritesThem(number: Double, text: String) {
        #expect(ConfigValue.number(number).text == text)
    }
}
