import Broker
import MillraceBase
import Testing

@Suite struct ServerConfigTests {
    private func config(
        _ text: String, environment: [String: String] = [:], overrides: [String] = []
    ) throws -> ServerConfig {
        try ServerConfig(
            file: ("server.properties", text), environment: environment, overrides: overrides)
    }

    private func refusal(_ text: String) -> String? {
        do {
            _ = try NodeSettings(try config(text))
            return nil
        } catch let error as ConfigError {
            return error.description
        } catch {
            return "\(error)"
        }
    }

    @Test func everyDefaultOfEveryTableIsValid() throws {
        for table in [
            ConfigTable.broker, .topic, .group, .clientMetrics, .throttles,
        ] {
            for key in table.keys {
                // Kafka's default of controller.quorum.voters is empty though it may not be set so.
                guard let text = key.defaultValue, key.valid != "non-empty list" else { continue }
                _ = try key.parse(text)
                for (name, _) in key.brokerKeys { #expect(ConfigTable.broker[name] != nil) }
            }
        }
        #expect(ConfigTable.broker.keys.count > 370)
        #expect(ConfigTable.topic.keys.count == 34 && ConfigTable.group.keys.count == 17)
        #expect(
            ConfigTable.broker["remote.log.metadata.manager.class.name"]?.defaultValue?.hasSuffix(
                "storage.TopicBasedRemoteLogMetadataManager") == true)
    }

    @Test func propertiesAreReadAsJavaReadsThem() throws {
        let text = #"""
            # a comment
            ! another
            a=1
              b : 2
            c 3
            d = x \
                y\\
            e\=f=\u0041\tz
            g
            h==

            """#
        let properties = try PropertiesFile.parse(text)
        #expect(properties.map(\.key) == ["a", "b", "c", "d", "e=f", "g", "h"])
        #expect(properties.map(\.value) == ["1", "2", "3", "x y\\", "A\tz", "", "="])
        #expect(properties.map(\.line) == [3, 4, 5, 6, 8, 9, 10])
        #expect(throws: ConfigError.self) { try PropertiesFile.parse("a=\\u00") }
    }

    @Test func anUnknownKeyIsRefusedWithItsLineAndTheNearestName() {
        #expect(
            refusal("node.id=1\nlog.retenton.ms=5\n")
                == "server.properties:2: unknown setting log.retenton.ms; "
                + "the nearest is log.retention.ms")
        #expect(refusal("zzzzzzzz=1")?.contains("nearest") == false)
    }

    @Test func anIllTypedValueIsRefusedWithItsLine() {
        #expect(
            refusal("\nnum.partitions=many")
                == "server.properties:2: Invalid value many for configuration num.partitions: "
                + "Not a number of type INT")
        #expect(refusal("num.partitions=0")?.hasSuffix("Value must be at least 1") == true)
        #expect(refusal("log.preallocate=yes")?.hasSuffix("either true or false") == true)
        #expect(
            refusal("compression.gzip.level=10")?.hasSuffix(
                "Value must be between 1 and 9 or equal to -1") == true)
        #expect(refusal("ssl.client.auth=maybe")?.contains("must be one of: required") == true)
    }

    @Test func flagsStandAboveTheEnvironmentAndThatAboveTheFile() throws {
        let environment = [
            "MILLRACE_NUM_PARTITIONS": "3", "MILLRACE_LOG_DIRS": "/e", "MILLRACE_PROFILE": "x",
            "MILLRACE_NO_SUCH": "1", "HOME": "/",
            "MILLRACE_LISTENER_NAME_OUTSIDE_SSL_CLIENT_AUTH": "required",
        ]
        let config = try config(
            "num.partitions=2\nlog.dirs=/f\nbroker.rack=r1", environment: environment,
            overrides: ["log.dirs=/o", "millrace.shards=3"])
        #expect(config.int("num.partitions") == 3)
        #expect(config.list("log.dirs") == ["/o"])
        #expect(config.text("broker.rack") == "r1")
        #expect(config.value("ssl.client.auth", listener: "OUTSIDE")?.text == "required")
        #expect(config.value("ssl.client.auth", listener: "INSIDE")?.text == "none")
        #expect(
            config.warnings == ["environment variable MILLRACE_NO_SUCH names no setting: ignored"])
        #expect(throws: ConfigError.self) { try ServerConfig(overrides: ["nothing"]) }
    }

    @Test func keysThatThisNodeDoesNotUseAreAcceptedWithOneWarning() throws {
        let config = try config("num.io.threads=4\nlog.cleaner.threads=2\nnum.partitions=2")
        #expect(
            config.warnings
                == ["accepted, but not used by this version: log.cleaner.threads, num.io.threads"])
    }

    @Test func listenersAreReadWithIPv6FreePortsAndAdvertisedNames() throws {
        let settings = try NodeSettings(
            config(
                """
                node.id=4
                log.dir=/tmp/x
                listeners=PLAINTEXT://[::1]:9092,OUTSIDE://:0,INSIDE://0.0.0.0:9094
                advertised.listeners=OUTSIDE://broker.example:443,INSIDE://10.0.0.1:9094
                listener.security.protocol.map=PLAINTEXT:PLAINTEXT,OUTSIDE:SSL,INSIDE:PLAINTEXT
                listener.name.outside.ssl.keystore.type=PEM
                listener.name.outside.ssl.keystore.location=/c/node.pem
                """))
        #expect(settings.listeners.map(\.name) == ["PLAINTEXT", "OUTSIDE", "INSIDE"])
        #expect(settings.listeners.map(\.host) == ["::1", "", "0.0.0.0"])
        #expect(settings.listeners.map(\.port) == [9092, 0, 9094])
        #expect(
            settings.listeners.map(\.advertisedHost) == ["::1", "broker.example", "10.0.0.1"])
        #expect(settings.listeners.map(\.advertisedPort) == [9092, 443, 9094])
        #expect(settings.listeners[1].tls?.privateKey == .file("/c/node.pem"))
        #expect(settings.listeners[0].tls == nil)
        #expect(settings.interBrokerListener == "PLAINTEXT")
        #expect(settings.nodeID == NodeID(4))
    }

    @Test(arguments: [
        ("listeners=PLAINTEXT://::1:9092", "stands in brackets"),
        ("listeners=PLAINTEXT://:99999", "does not end in a port"),
        ("listeners=nonsense", "is not NAME://host:port"),
        ("listeners=ODD://:1", "no security protocol defined"),
        ("listeners=PLAINTEXT://:1,PLAINTEXT://:2", "a different name"),
        (
            "listeners=PLAINTEXT://:1,SSL://:1\nssl.keystore.type=PEM\nssl.keystore.location=x",
            "a different port"
        ),
        ("listeners=SSL://:1", "TLS needs a certificate"),
        ("listeners=SSL://:1\nssl.keystore.location=/x.jks", "ssl.keystore.type=JKS is not served"),
        ("listeners=SASL_SSL://:1", "SASL_SSL is not served"),
        ("advertised.listeners=PLAINTEXT://0.0.0.0:9092", "nonroutable meta-address"),
        ("advertised.listeners=OTHER://a:1", "OTHER is none of the listeners"),
        ("process.roles=broker", "process.roles=broker is not served"),
        ("controller.quorum.voters=1@a:1,2@b:1", "only voter is this node"),
        ("log.dirs=/a,/a", "stands there twice"),
        ("broker.id=7", "same value as `broker.id`"),
        ("inter.broker.listener.name=X", "none of the listeners"),
    ])
    func settingsThatDoNotGoTogetherAreRefused(text: String, reason: String) {
        #expect(refusal("node.id=1\nlog.dirs=/d\n\(text)")?.contains(reason) == true)
    }

    @Test func aNodeWithoutAnIdIsRefused() {
        #expect(refusal("log.dirs=/d")?.hasPrefix("node.id is missing") == true)
    }

    @Test func theRecordedBrokersSettingsAreRead() throws {
        let settings = try NodeSettings(
            config(
                """
                process.roles=broker,controller
                node.id=1
                controller.quorum.voters=1@localhost:9093
                controller.listener.names=CONTROLLER
                inter.broker.listener.name=PLAINTEXT
                listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
                listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
                log.retention.ms=-1
                log.initial.task.delay.ms=500
                log.segment.delete.delay.ms=1000
                replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
                log.dirs=/tmp/k
                """))
        #expect(settings.listeners.map(\.isController) == [false, true])
        #expect(settings.logWork.initialDelay == .milliseconds(500))
        #expect(settings.network.queuedRequestBytesMax == 256 << 20)
        let view = BrokerConfigView(fixed: settings.config)
        #expect(view.topicValue("retention.ms", overrides: [:]) == .integer(-1))
        #expect(view.topicValue("segment.ms", overrides: [:]) == .integer(604_800_000))
        #expect(view.topicValue("file.delete.delay.ms", overrides: [:]) == .integer(1000))
        #expect(view.topicValue("retention.ms", overrides: ["retention.ms": "5"]) == .integer(5))
        let synonyms = view.synonyms(of: "log.retention.ms")
        #expect(synonyms.map(\.name) == ["log.retention.ms", "log.retention.hours"])
        #expect(view.synonyms(of: "log.roll.ms").isEmpty)
    }

    @Test func theTablesAreReadyInTwoMilliseconds() {
        let clock = ContinuousClock()
        let times = (0..<3).map { _ in
            clock.measure { _ = ConfigTable(ConfigTableTexts.broker) }
        }
        // Debug builds are ten times slower than what a node starts with.
        #expect(times.min().map { $0 < .milliseconds(30) } == true)
    }
}
