internal import MillraceProtocol

/// All APIs that this node serves: what is here is what ApiVersions tells. One line for each; the
/// handler itself is in a file of its own.
package enum HandlerTable {
    package static let all: [Handler] = [
        .produce, .fetch, .listOffsets, .offsetForLeaderEpoch, .deleteRecords, .initProducerID,
        .apiVersions, .describeLogDirs, .metadata, .describeCluster, .describeTopicPartitions,
        .createTopics, .deleteTopics, .createPartitions, .describeConfigs, .alterConfigs,
        .incrementalAlterConfigs, .findCoordinator, .joinGroup, .syncGroup, .heartbeat, .leaveGroup,
        .offsetCommit, .offsetFetch, .offsetDelete, .listGroups, .describeGroups, .deleteGroups,
    ]

    /// By API key.
    static let byKey: [Handler?] = {
        let last = all.map(\.api.rawValue).max() ?? 0
        var table = [Handler?](repeating: nil, count: Int(last) + 1)
        for handler in all { table[Int(handler.api.rawValue)] = handler }
        return table
    }()

    static func handler(key: Int16) -> Handler? {
        key >= 0 && key < byKey.count ? byKey[Int(key)] : nil
    }
}
