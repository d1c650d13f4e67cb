package import MillraceBase

/// What a shard reads of the cluster's metadata outside of its hot path: the published state.
package struct MetadataView: Sendable {
    /// End of the metadata log that this is the state of; exclusive.
    package var offset: Offset
    /// The broker's settings: static and dynamic.
    package var config: BrokerConfigView
    /// Finalized features and their levels, by name.
    package var features: [(name: String, level: Int16)]

    private var overrides: [String: [String: String]]

    package init(
        offset: Offset, config: BrokerConfigView, features: [(name: String, level: Int16)],
        overrides: [String: [String: String]] = [:]
    ) {
        (self.offset, self.config, self.features) = (offset, config, features)
        self.overrides = overrides
    }

    /// A topic's own settings.
    package func topicOverrides(_ name: String) -> [String: String] { overrides[name] ?? [:] }
}
