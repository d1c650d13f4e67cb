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
        var resource = IncrementalAlterConfigsRequest.Resource()
        (resource.resourceType, resource.resourceName) = (type, name)
        resource.configs = configs.map { name, operation, value in
            var config = IncrementalAlterConfigsRequest.Resource.Config()
            (config.name, config.configOperation, config.value) = (name, operation, value)
            return config
        }
        var request = IncrementalAlterConfigsRequest()
        request.resources = twice ? [resource, resource] : [resource]
        let preparation = ConfigChangePreparation(nodeID: NodeID(1), sink: sink)
        return preparation.outcomes(of: request).first ?? nil
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
}
