import Broker
import MillraceBase
import MillraceProtocol
import Testing

@Suite struct ConfigChangePreparationTests {
    private let sink = LogSink(level: .info, capture: { _ in })

    private func change(
        type: Int8 = 8, name: String = "1", _ configs: [(String, Int8, String?)],
        twice: Bool = false
    ) -> ConfigChangePreparation.Outcome? {
        let preparation = ConfigChangePreparation(nodeID: NodeID(1), sink: sink)
        return preparation.outcomes(of: request(type, name, configs, twice: twice)).first ?? nil
    }

    private func request(
        _ type: Int8, _ name: String, _ configs: [(String, Int8, String?)], twice: Bool = false
    ) -> IncrementalAlterConfigsRequest {
        var resource = IncrementalAlterConfigsRequest.Resource()
        (resource.resourceType, resource.resourceName) = (type, name)
        resource.configs = configs.map { name, operation, value in
            var config = IncrementalAlterConfigsRequest.Resource.Config()
            (config.name, config.configOperation, config.value) = (name, operation, value)
            return config
        }
        var request = IncrementalAlterConfigsRequest()
        request.resources = twice ? [resource, resource] : [resource]
        return request
    }

    @Test func theLevelOfALoggerIsSetAndRemoved() {
        _ = sink.logger("net")
        #expect(change([("net", 0, "DEBUG"), ("root", 0, "error")]) == .done)
        #expect(sink.levels().map(\.level) == [.debug, .error])
        #expect(change([("net", 1, nil)]) == .done)
        #expect(sink.levels().map(\.level) == [.error, .error])
    }

    @Test(
        arguments: [
            (
                [("root", 0, "LOUD")], 40,
                "Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"
            ),
            ([("root", 1, nil)], 42, "Removing the log level of the root logger is not allowed"),
            ([("no.such", 0, "INFO")], 40, "Logger no.such does not exist!"),
            ([("root", 2, "INFO")], 42, "APPEND operation is not allowed for the BROKER_LOGGER"),
            ([("root", 0, nil)], 42, "Null value not supported for : root"),
            ([("root", 0, "INFO"), ("root", 0, "INFO")], 42, "Error due to duplicate config keys"),
        ] as [([(String, Int8, String?)], Int16, String)])
    func aLoggersChangeIsRefusedInKafkasWords(
        configs: [(String, Int8, String?)], code: Int16, text: String
    ) {
        let outcome = change(configs)
        #expect(outcome?.code.rawValue == code)
        #expect(outcome?.text?.contains(text) == true)
    }

    @Test func malformedResourcesAreAnsweredHereAndTheRestIsLeftToTheController() {
        #expect(change(name: "77", [])?.text == "Unexpected node id. Expected 1, but received 77")
        #expect(change(name: "", [])?.text == "Node id must be an integer, but it is: ")
        #expect(change(type: 99, [])?.text == "Unknown resource type 99")
        #expect(change(type: 2, [], twice: true)?.text == "Each resource must appear at most once.")
        #expect(change(type: 2, name: "t", [("retention.ms", 0, "1")]) == nil)
    }

    // MARK: Certificates

    /// What is answered where `/no.pem` cannot be read and the listener TLS has `/fixed.pem`.
    private func certificates(
        name: String = "1", stored: [String: String] = [:], _ configs: [(String, Int8, String?)]
    ) throws -> ConfigChangePreparation.Outcome? {
        let settings = try NodeSettings(
            ServerConfig(overrides: [
                "node.id=1", "log.dirs=/d", "ssl.keystore.type=PEM",
                "listeners=PLAINTEXT://127.0.0.1:9092,TLS://127.0.0.1:9093",
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,TLS:SSL",
                "listener.name.tls.ssl.keystore.location=/fixed.pem",
            ]))
        let check = CertificateCheck(
            view: BrokerConfigView(
                fixed: settings.config,
                ofBroker: ["listener.name.tls.ssl.keystore.location": "/set.pem"]
                    .merging(stored) { $1 }),
            listeners: settings.listeners
        ) { $0.certificateChain == .file("/set.pem") ? nil : "\($0.certificateChain) is bad" }
        let preparation = ConfigChangePreparation(
            nodeID: NodeID(1), sink: sink, certificates: check)
        return preparation.outcomes(of: request(4, name, configs)).first ?? nil
    }

    @Test func certificatesThatCannotBeUsedAreNeverStored() throws {
        let location = "listener.name.tls.ssl.keystore.location"
        let refused = try certificates([(location, 0, "/no.pem")])
        #expect(refused?.code == .invalidRequest)
        #expect(refused?.text?.contains("listener TLS: file(\"/no.pem\") is bad") == true)
        #expect(try certificates([(location, 1, nil)])?.text?.contains("/fixed.pem") == true)
        let type = "listener.name.tls.ssl.keystore.type"
        #expect(try certificates([(type, 0, "JKS")])?.text?.contains("set it to PEM") == true)
        // What is used already is not tried again; nor is another broker's, or another listener's.
        #expect(try certificates([(location, 0, "/set.pem")]) == nil)
        #expect(try certificates([("max.connections", 0, "7")]) == nil)
        #expect(try certificates(name: "2", [(location, 0, "/no.pem")]) == nil)
        #expect(try certificates([("ssl.keystore.location", 0, "/no.pem")]) == nil)
        // What was stored under other rules does not stand in the way of other settings.
        let stored = [type: "JKS"]
        #expect(try certificates(stored: stored, [("max.connections", 0, "7")]) == nil)
        #expect(try certificates(stored: stored, [(type, 0, "PEM")]) == nil)
        #expect(try certificates(stored: stored, [(type, 0, "PEM"), (location, 0, "/no")]) != nil)
    }
}
