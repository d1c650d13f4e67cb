import Metadata
import MillraceProtocol

/// As much of the tables of settings as the recorded conversations use.
struct StubRules: ConfigJudging {
    private static let numbers: [String: (type: String, least: Int64)] = [
        "retention.ms": ("LONG", -1), "max.message.bytes": ("INT", 0),
        "segment.bytes": ("INT", 1_048_576), "min.insync.replicas": ("INT", 1),
    ]
    private static let words: [String: [String]] = [
        "compression.type": ["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]
    ]
    private static let throttled = "leader.replication.throttled.replicas"

    func refusal(ofTopic overrides: [String: String?]) -> String? {
        for (name, value) in overrides.sorted(by: { $0.key < $1.key }) {
            guard let value else { return "Null value not supported for topic configs: \(name)" }
            if let refusal = refusal(of: name, value) { return refusal }
        }
        return nil
    }

    private func refusal(of name: String, _ value: String) -> String? {
        let prefix = "Invalid value \(value) for configuration \(name): "
        if let (type, least) = Self.numbers[name] {
            let range = type == "INT" ? Int64(Int32.min)...Int64(Int32.max) : .min ... .max
            guard let number = Int64(value), range.contains(number) else {
                return prefix + "Not a number of type \(type)"
            }
            return number < least ? prefix + "Value must be at least \(least)" : nil
        }
        if let words = Self.words[name] {
            return words.contains(value)
                ? nil : prefix + "String must be one of: \(words.joined(separator: ", "))"
        }
        switch name {
        case "cleanup.policy":
            let bad = value.split(separator: ",").first { $0 != "compact" && $0 != "delete" }
            return bad.map {
                "Invalid value \($0) for configuration \(name): "
                    + "String must be one of: compact, delete"
            }
        case "remote.storage.enable":
            return value == "true"
                ? "Tiered Storage functionality is disabled in the broker. "
                    + "Topic cannot be configured with remote log storage." : nil
        case Self.throttled:
            let elements = value.split(separator: ",")
            return elements.allSatisfy { $0.contains(":") }
                ? nil
                : "Invalid value [\(elements.joined(separator: ", "))] for configuration \(name): "
                    + "\(name) must be the literal '*' or a list of replicas in the following "
                    + "format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
        default: return "Unknown topic config name: \(name)"
        }
    }

    func refusal(ofBroker overrides: [String: String], forAll: Bool) -> String? { nil }
    func refusal(ofGroup overrides: [String: String]) -> String? { nil }
    func refusal(ofClientMetrics overrides: [String: String]) -> String? { nil }

    func isList(_ name: String, of kind: ConfigResource.Kind) -> Bool {
        name == "cleanup.policy" || name == Self.throttled
    }

    func defaultList(_ name: String, of kind: ConfigResource.Kind) -> String {
        name == "cleanup.policy" ? "delete" : ""
    }

    func described(topic overrides: [String: String]) -> [CreateTopicsResponse.Topic.Config] { [] }
}
