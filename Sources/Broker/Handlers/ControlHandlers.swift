internal import MillraceBase
internal import MillraceProtocol

/// Requests that the controller decides: they go to the control loop as they came, and it answers.
extension Handler {
    /// CreateTopics.
    static let createTopics = Handler.deferring(.createTopics, 2...7) {
        (shard, context, request: CreateTopicsRequest) in
        shard.control(.request(.createTopics(request), context.token, context.connection))
    }

    /// DeleteTopics, by name or by id.
    static let deleteTopics = Handler.deferring(.deleteTopics, 1...6) {
        (shard, context, request: DeleteTopicsRequest) in
        shard.control(.request(.deleteTopics(request), context.token, context.connection))
    }

    /// CreatePartitions.
    static let createPartitions = Handler.deferring(.createPartitions, 0...3) {
        (shard, context, request: CreatePartitionsRequest) in
        shard.control(.request(.createPartitions(request), context.token, context.connection))
    }

    /// AlterConfigs: replaces all settings of a resource.
    static let alterConfigs = Handler.deferring(.alterConfigs, 0...2) {
        (shard, context, request: AlterConfigsRequest) in
        shard.control(.request(.alterConfigs(request), context.token, context.connection))
    }

    /// IncrementalAlterConfigs: changes single settings of a resource.
    static let incrementalAlterConfigs = Handler.deferring(.incrementalAlterConfigs, 0...1) {
        (shard, context, request: IncrementalAlterConfigsRequest) in
        shard.control(
            .request(.incrementalAlterConfigs(request), context.token, context.connection))
    }

    /// DescribeConfigs, from the published image and this node's own settings.
    static let describeConfigs = Handler.answering(.describeConfigs, 1...4) {
        shard, context, request -> DescribeConfigsResponse in
        guard let view = shard.view else { return DescribeConfigsResponse() }
        let response = view.describer(loggers: shard.log.sink.levels).answer(request)
        shard.note(context, response.results.lazy.map(\.errorCode))
        return response
    }
}
