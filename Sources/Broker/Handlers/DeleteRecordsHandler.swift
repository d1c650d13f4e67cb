internal import MillraceBase
internal import MillraceProtocol

extension Handler {
    static let deleteRecords = Handler.deferring(.deleteRecords, 0...2) {
        (shard, context, request: DeleteRecordsRequest) in
        shard.deleteRecords(request, context)
    }
}

extension Shard {
    fileprivate func deleteRecords(_ request: DeleteRecordsRequest, _ context: RequestContext) {
        var response = DeleteRecordsResponse()
        var places: [(topic: Int, partition: Int)] = []
        var questions: [Int: [DeletionQuestion]] = [:]
        for topic in request.topics {
            var answer = DeleteRecordsResponse.Topic()
            answer.name = topic.name
            // A partition that is named twice is one request, the last.
            let last = Dictionary(
                topic.partitions.map { ($0.partitionIndex, $0) }, uniquingKeysWith: { $1 })
            for partition in last.values.sorted(by: { $0.partitionIndex < $1.partitionIndex }) {
                var place = DeleteRecordsResponse.Topic.Partition()
                place.partitionIndex = partition.partitionIndex
                place.lowWatermark = -1
                switch deletionOwner(topic.name, partition.partitionIndex) {
                case .failure(let code): place.errorCode = code.rawValue
                case .success(let (shard, id)):
                    questions[shard, default: []].append(
                        DeletionQuestion(
                            index: places.count, topic: id, partition: partition.partitionIndex,
                            offset: partition.offset))
                    places.append((response.topics.count, answer.partitions.count))
                }
                answer.partitions.append(place)
            }
            response.topics.append(answer)
        }
        ask(questions.mapValues { .deleteRecords($0) }) { shard, answers in
            for case .deletions(let found) in answers {
                for element in found {
                    let (topic, partition) = places[element.index]
                    response.topics[topic].partitions[partition].errorCode = element.errorCode
                    response.topics[topic].partitions[partition].lowWatermark = element.lowWatermark
                }
            }
            shard.reply(context.token, response)
        }
    }

    private func deletionOwner(
        _ topic: String, _ partition: Int32
    ) -> Result<(Int, TopicID), ErrorCode> {
        if let index = topics.index(name: topic), topics[index]?.isInternal == true {
            return .failure(.invalidTopicException)
        }
        return leaderShard(topic, partition)
    }
}
