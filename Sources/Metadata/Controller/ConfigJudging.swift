package import MillraceProtocol

/// What the controller asks of the tables of settings, which it does not know: whether settings are
/// good, and what they are where nobody set them. Texts are Kafka's.
package protocol ConfigJudging: Sendable {
    /// Why a topic cannot have these settings, all of its own; nil if it can.
    func refusal(ofTopic overrides: [String: String?]) -> String?
    /// Why a broker, or all of them, cannot have these dynamic settings.
    func refusal(ofBroker overrides: [String: String], forAll: Bool) -> String?
    func refusal(ofGroup overrides: [String: String]) -> String?
    func refusal(ofClientMetrics overrides: [String: String]) -> String?
    /// Whether a setting holds a list, to which one can append.
    func isList(_ name: String, of kind: ConfigResource.Kind) -> Bool
    /// The table's default of a list; empty if it has none.
    func defaultList(_ name: String, of kind: ConfigResource.Kind) -> String
    /// All settings of a topic that is being made, as the answer to CreateTopics shows them.
    func described(topic overrides: [String: String]) -> [CreateTopicsResponse.Topic.Config]
}
