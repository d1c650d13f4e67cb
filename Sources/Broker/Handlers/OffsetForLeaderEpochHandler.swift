internal import MillraceBase
internal import MillraceProtocol

extension Handler {
    static let offsetForLeaderEpoch = Handler.deferring(.offsetForLeaderEpoch, 2...4) {
        (shard, context, request: OffsetForLeaderEpochRequest) in
        shard.offsetForLeaderEpoch(request, context)
    }
}

extension Shard {
    fileprivate func offsetForLeaderEpoch(
        _ request: OffsetForLeaderEpochRequest, _ context: RequestContext
    ) {
        var response = OffsetForLeaderEpochResponse()
        var places: [(topic: Int, partition: Int)] = []
        var questions: [Int: [EpochQuestion]] = [:]
        for topic in request.topics {
            var answer = OffsetForLeaderEpochResponse.Topic()
            answer.topic = topic.topic
            for partition in topic.partitions {
                var place = OffsetForLeaderEpochResponse.Topic.Partition()
                place.partition = partition.partition
                switch leaderShard(topic.topic, partition.partition) {
                case .failure(let code): place.errorCode = code.rawValue
                case .success(let (shard, id)):
                    questions[shard, default: []].append(
                        EpochQuestion(
                            index: places.count, topic: id, partition: partition.partition,
                            epoch: partition.leaderEpoch,
                            currentLeaderEpoch: partition.currentLeaderEpoch))
                    places.append((response.topics.count, answer.partitions.count))
                }
                answer.partitions.append(place)
            }
            response.topics.append(answer)
        }
        ask(questions.mapValues { .epochEnds($0) }) { shard, answers in
            for case .epochEnds(let found) in answers {
                for element in found {
                    let (topic, partition) = places[element.index]
                    var place = response.topics[topic].partitions[partition]
                    place.errorCode = element.errorCode
                    place.leaderEpoch = element.epoch
                    place.endOffset = element.end
                    response.topics[topic].partitions[partition] = place
                }
            }
            shard.reply(context.token, response)
        }
    }
}
