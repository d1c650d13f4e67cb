internal import MillraceBase
internal import MillraceProtocol

extension Handler {
    /// Metadata: the cluster and its topics, from the published image.
    static let metadata = Handler.answering(.metadata, 0...13) {
        shard, context, request -> MetadataResponse in
        guard let view = shard.view else { return MetadataResponse() }
        let answer = MetadataAnswer(
            request, version: context.version,
            cluster: view.seen(through: context.connection.listener),
            createsTopics: shard.identity.settings.createsTopics)
        shard.note(context, answer.response.topics.lazy.map(\.errorCode))
        if !answer.created.isEmpty { shard.control(.createTopics(names: answer.created)) }
        return answer.response
    }

    /// DescribeCluster: the brokers.
    static let describeCluster = Handler.answering(.describeCluster, 0...2) {
        shard, context, request -> DescribeClusterResponse in
        guard let view = shard.view else { return DescribeClusterResponse() }
        return ClusterAnswer.response(
            to: request, cluster: view.seen(through: context.connection.listener))
    }

    /// DescribeTopicPartitions: partitions with their eligible leaders, in pages.
    static let describeTopicPartitions = Handler.answering(.describeTopicPartitions, 0...0) {
        shard, context, request -> DescribeTopicPartitionsResponse in
        guard let view = shard.view else { return DescribeTopicPartitionsResponse() }
        return TopicPartitionsAnswer(
            request, cluster: view.seen(through: context.connection.listener),
            limit: shard.identity.settings.describedPartitionsMax
        ).response
    }
}

extension Shard {
    /// Counts the first error code of an answer that is given at once.
    func note(_ context: RequestContext, _ codes: some Sequence<Int16>) {
        guard let code = codes.first(where: { $0 != 0 }) else { return }
        metrics.failed(api: context.token.api.rawValue, errorCode: code)
    }
}
