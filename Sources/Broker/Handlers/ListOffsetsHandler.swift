internal import MillraceBase
internal import MillraceProtocol

extension Handler {
    static let listOffsets = Handler.deferring(.listOffsets, 1...11) {
        (shard, context, request: ListOffsetsRequest) in
        shard.listOffsets(request, context)
    }
}

extension Shard {
    fileprivate func listOffsets(_ request: ListOffsetsRequest, _ context: RequestContext) {
        var response = ListOffsetsResponse()
        var places: [(topic: Int, partition: Int)] = []
        var questions: [Int: [OffsetQuestion]] = [:]
        for topic in request.topics {
            var answer = ListOffsetsResponse.Topic()
            answer.name = topic.name
            let seen = repeated(topic.partitions.map(\.partitionIndex))
            var named: Set<Int32> = []
            for partition in topic.partitions
            where named.insert(partition.partitionIndex).inserted {
                var place = ListOffsetsResponse.Topic.Partition()
                place.partitionIndex = partition.partitionIndex
                switch listOffsetsOwner(topic.name, partition, request, context, seen) {
                case .failure(let code): place.errorCode = code.rawValue
                case .success(let (shard, id)):
                    questions[shard, default: []].append(
                        OffsetQuestion(
                            index: places.count, topic: id, partition: partition.partitionIndex,
                            timestamp: partition.timestamp,
                            currentLeaderEpoch: partition.currentLeaderEpoch))
                    places.append((response.topics.count, answer.partitions.count))
                }
                answer.partitions.append(place)
            }
            response.topics.append(answer)
        }
        ask(questions.mapValues { .listOffsets($0) }) { shard, answers in
            for case .offsets(let found) in answers {
                for element in found {
                    let (topic, partition) = places[element.index]
                    var place = response.topics[topic].partitions[partition]
                    place.errorCode = element.errorCode
                    place.timestamp = element.timestamp
                    place.offset = element.offset
                    if context.version >= 4 { place.leaderEpoch = element.epoch }
                    response.topics[topic].partitions[partition] = place
                }
            }
            shard.reply(context.token, response)
        }
    }

    /// Partitions that a request names more than once: Kafka refuses those.
    private func repeated(_ partitions: [Int32]) -> Set<Int32> {
        var once: Set<Int32> = []
        return Set(partitions.filter { !once.insert($0).inserted })
    }

    private func listOffsetsOwner(
        _ topic: String, _ partition: ListOffsetsRequest.Topic.Partition,
        _ request: ListOffsetsRequest, _ context: RequestContext, _ repeated: Set<Int32>
    ) -> Result<(Int, TopicID), ErrorCode> {
        guard !repeated.contains(partition.partitionIndex) else { return .failure(.invalidRequest) }
        // Each special value exists from a version on (KIP-734, KIP-405, KIP-1005).
        let first: Int16
        switch partition.timestamp {
        case -3: first = 7
        case -4: first = 8
        case -5: first = 9
        case ..<(-5): first = 11
        default: first = 1
        }
        guard context.version >= first else { return .failure(.unsupportedVersion) }
        guard partition.timestamp >= -6 else { return .failure(.unsupportedVersion) }
        return leaderShard(topic, partition.partitionIndex)
    }

    /// The shard that has a partition of a topic by name, and the topic's id.
    func leaderShard(_ topic: String, _ partition: Int32) -> Result<(Int, TopicID), ErrorCode> {
        guard let index = topics.index(name: topic), let entry = topics[index],
            let place = topics.partition(index, partition)
        else { return .failure(.unknownTopicOrPartition) }
        guard let shard = place.shard else { return .failure(.notLeaderOrFollower) }
        return .success((shard, entry.id))
    }
}
