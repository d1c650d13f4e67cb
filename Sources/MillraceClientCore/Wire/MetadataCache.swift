package import MillraceBase
package import MillraceProtocol

/// What a client knows of topics: partitions and their leaders. It asks for what it lacks, one
/// request at a time, not faster than its back-off.
package struct MetadataCache {
    /// A topic as last told.
    package struct Topic: Equatable, Sendable {
        package var error: ErrorCode
        /// Partition → leader; `none` while there is no leader.
        package var leaders: [NodeID]
    }

    private let retryDelay: Duration
    private let maxAge: Duration
    private let createsTopics: Bool
    package private(set) var topics: [String: Topic] = [:]
    private var wanted: Set<String> = []
    private var isDue = false
    private var notBefore = Instant.zero
    private var staleAt = Instant.distantFuture
    private var asked: RequestToken?

    package init(
        retryDelay: Duration = .milliseconds(100), maxAge: Duration = .seconds(300),
        createsTopics: Bool = false
    ) {
        self.retryDelay = retryDelay
        self.maxAge = maxAge
        self.createsTopics = createsTopics
    }

    /// Adds a topic to those that are asked for.
    package mutating func want(_ topic: String) {
        guard wanted.insert(topic).inserted else { return }
        isDue = true
    }

    /// Asks for these topics and no others from now on.
    package mutating func want(only names: Set<String>) {
        guard names != wanted else { return }
        wanted = names
        topics = topics.filter { names.contains($0.key) }
        isDue = !names.isEmpty
    }

    /// What is known may be wrong: it is asked for again.
    package mutating func invalidate() { isDue = true }

    package func leader(of partition: NamedPartition) -> NodeID? {
        guard let leaders = topics[partition.topic]?.leaders,
            leaders.indices.contains(Int(partition.index))
        else { return nil }
        let leader = leaders[Int(partition.index)]
        return leader == .none ? nil : leader
    }

    package func partitionCount(of topic: String) -> Int32? {
        guard let known = topics[topic], known.error == .none else { return nil }
        return known.leaders.isEmpty ? nil : Int32(clamping: known.leaders.count)
    }

    /// The request to send now under `token`, if one is due and none is under way.
    package mutating func request(at now: Instant, token: RequestToken) -> ClientRequest? {
        if now >= staleAt, !wanted.isEmpty { isDue = true }
        guard isDue, asked == nil, now >= notBefore, !wanted.isEmpty else { return nil }
        asked = token
        isDue = false
        notBefore = now + retryDelay
        var request = MetadataRequest()
        request.allowAutoTopicCreation = createsTopics
        request.topics = wanted.sorted().map { name in
            var topic = MetadataRequest.Topic()
            topic.name = name
            return topic
        }
        return .metadata(request)
    }

    /// Takes up the answer to `token`; others are not ours.
    /// - Returns: whether it was.
    package mutating func answered(
        _ token: RequestToken, _ response: MetadataResponse, at now: Instant
    ) -> Bool {
        guard token == asked else { return false }
        asked = nil
        staleAt = now + maxAge
        for topic in response.topics {
            guard let name = topic.name, wanted.contains(name) else { continue }
            let error = ErrorCode(rawValue: topic.errorCode)
            var leaders: [NodeID] = []
            // A broker numbers partitions densely; what it says else is not a size to allocate.
            for partition in topic.partitions.sorted(by: { $0.partitionIndex < $1.partitionIndex })
            where partition.partitionIndex == Int32(leaders.count) {
                leaders.append(NodeID(partition.leaderId))
            }
            topics[name] = Topic(error: error, leaders: leaders)
            if error.isRetriable || leaders.contains(.none) { isDue = true }
        }
        return true
    }

    /// The request of `token` failed; it is sent again after the back-off.
    package mutating func failed(_ token: RequestToken) -> Bool {
        guard token == asked else { return false }
        asked = nil
        isDue = true
        return true
    }

    /// When `request` would give one.
    package var deadline: Instant {
        guard asked == nil, !wanted.isEmpty else { return .distantFuture }
        return isDue ? notBefore : staleAt
    }
}
