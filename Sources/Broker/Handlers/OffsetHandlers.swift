internal import Coordinators
internal import MillraceBase
internal import MillraceProtocol

// Committed offsets of groups.
extension Handler {
    static let offsetCommit = Handler.deferring(.offsetCommit, 2...10) {
        (shard, context, request: OffsetCommitRequest) in
        shard.offsetCommit(request, context)
    }

    static let offsetFetch = Handler.deferring(.offsetFetch, 1...10) {
        (shard, context, request: OffsetFetchRequest) in
        shard.offsetFetch(request, context)
    }

    static let offsetDelete = Handler.deferring(.offsetDelete, 0...0) {
        (shard, context, request: OffsetDeleteRequest) in
        shard.offsetDelete(request, context)
    }
}

extension Shard {
    private func hasPartition(_ topic: Int?, _ partition: Int32) -> Bool {
        topic.flatMap { topics.partition($0, partition) } != nil
    }

    fileprivate func offsetCommit(_ request: OffsetCommitRequest, _ context: RequestContext) {
        var response = OffsetCommitResponse()
        var places: [(topic: Int, partition: Int)] = []
        var known = request
        known.topics = []
        let usesIDs = context.version >= 10
        for topic in request.topics {
            let index =
                usesIDs ? topics.index(id: TopicID(topic.topicId)) : topics.index(name: topic.name)
            let entry = index.flatMap { topics[$0] }
            var kept = topic
            kept.partitions = []
            // The id tells later whether the topic was replaced by another of its name.
            kept.name = entry?.name ?? topic.name
            kept.topicId = entry?.id.uuid ?? topic.topicId
            var answer = OffsetCommitResponse.Topic()
            (answer.name, answer.topicId) = (topic.name, topic.topicId)
            for partition in topic.partitions {
                var place = OffsetCommitResponse.Topic.Partition()
                place.partitionIndex = partition.partitionIndex
                if entry == nil, usesIDs {
                    place.errorCode = ErrorCode.unknownTopicId.rawValue
                } else if !hasPartition(index, partition.partitionIndex) {
                    place.errorCode = ErrorCode.unknownTopicOrPartition.rawValue
                } else {
                    places.append((response.topics.count, answer.partitions.count))
                    kept.partitions.append(partition)
                }
                answer.partitions.append(place)
            }
            response.topics.append(answer)
            if !kept.partitions.isEmpty { known.topics.append(kept) }
        }
        guard !places.isEmpty else { return answer(response, 0, context) }
        ask([(request.groupId, .commit(known))], context) { shard, answers in
            let codes = Self.codes(answers.first, count: places.count)
            for (place, code) in zip(places, codes) {
                response.topics[place.topic].partitions[place.partition].errorCode = code.rawValue
            }
            let worst = codes.first { $0 != .none } ?? .none
            shard.answer(response, worst.rawValue, context)
        }
    }

    private static func codes(_ answer: GroupResponse?, count: Int) -> [ErrorCode] {
        switch answer {
        case .commit(let codes)?, .deletedOffsets(let codes)?: codes
        case .failed(let code)?: Array(repeating: code, count: count)
        default: Array(repeating: .unknownServerError, count: count)
        }
    }

    fileprivate func offsetDelete(_ request: OffsetDeleteRequest, _ context: RequestContext) {
        var response = OffsetDeleteResponse()
        var places: [(topic: Int, partition: Int)] = []
        var known = request
        known.topics = []
        for topic in request.topics {
            let index = topics.index(name: topic.name)
            var kept = topic
            kept.partitions = []
            var answer = OffsetDeleteResponse.Topic()
            answer.name = topic.name
            for partition in topic.partitions {
                var place = OffsetDeleteResponse.Topic.Partition()
                place.partitionIndex = partition.partitionIndex
                if hasPartition(index, partition.partitionIndex) {
                    places.append((response.topics.count, answer.partitions.count))
                    kept.partitions.append(partition)
                } else {
                    place.errorCode = ErrorCode.unknownTopicOrPartition.rawValue
                }
                answer.partitions.append(place)
            }
            response.topics.append(answer)
            if !kept.partitions.isEmpty { known.topics.append(kept) }
        }
        ask([(request.groupId, .deleteOffsets(known))], context) { shard, answers in
            if case .failed(let code)? = answers.first {
                response.topics = []
                response.errorCode = code.rawValue
            } else {
                for (place, code) in zip(places, Self.codes(answers.first, count: places.count)) {
                    response.topics[place.topic].partitions[place.partition].errorCode =
                        code.rawValue
                }
            }
            shard.answer(response, response.errorCode, context)
        }
    }

    // MARK: OffsetFetch

    fileprivate func offsetFetch(_ request: OffsetFetchRequest, _ context: RequestContext) {
        var request = request
        if context.version < 8 {
            var group = OffsetFetchRequest.Group()
            group.groupId = request.groupId
            group.topics = request.topics?.map { topic in
                var asked = OffsetFetchRequest.Group.Topic()
                (asked.name, asked.partitionIndexes) = (topic.name, topic.partitionIndexes)
                return asked
            }
            request.groups = [group]
        }
        let asked = request.groups.map { group in
            let topics = group.topics?.compactMap { topic -> OffsetTopic? in
                guard let name = name(of: topic, context) else { return nil }
                return OffsetTopic(name: name, partitions: topic.partitionIndexes)
            }
            return (
                group: group.groupId,
                GroupRequest.fetchOffsets(group: group.groupId, topics: topics)
            )
        }
        ask(asked, context) { shard, answers in
            let groups = zip(request.groups, answers).map { group, answer in
                shard.fetched(group, answer, context)
            }
            let code = groups.first { $0.errorCode != 0 }?.errorCode ?? 0
            var response = OffsetFetchResponse()
            if context.version >= 8 {
                response.groups = groups
            } else if let group = groups.first {
                response = Shard.single(group, request, context)
            }
            shard.answer(response, code, context)
        }
    }

    private func name(
        of topic: OffsetFetchRequest.Group.Topic, _ context: RequestContext
    ) -> String? {
        guard context.version >= 10 else { return topic.name }
        return topics.index(id: TopicID(topic.topicId)).flatMap { topics[$0]?.name }
    }

    /// The answer for one group; topics that were asked for by an unknown id say so.
    private func fetched(
        _ asked: OffsetFetchRequest.Group, _ answer: GroupResponse, _ context: RequestContext
    ) -> OffsetFetchResponse.Group {
        var group = OffsetFetchResponse.Group()
        group.groupId = asked.groupId
        let usesIDs = context.version >= 10
        switch answer {
        case .failed(let code): group.errorCode = code.rawValue
        case .offsets(let found):
            group.topics = found.compactMap { topic in
                let id = topics.index(name: topic.name).flatMap { topics[$0]?.id }
                // What is not a topic any more has no id to be named by.
                guard !usesIDs || id != nil else { return nil }
                var told = OffsetFetchResponse.Group.Topic()
                if usesIDs { told.topicId = id?.uuid ?? .zero } else { told.name = topic.name }
                told.partitions = topic.partitions.map { partition in
                    var place = OffsetFetchResponse.Group.Topic.Partition()
                    place.partitionIndex = partition.index
                    place.committedOffset = partition.offset
                    place.committedLeaderEpoch = partition.leaderEpoch
                    place.metadata = partition.metadata
                    return place
                }
                return told
            }
            if usesIDs { group.topics += unknownTopics(asked, context) }
        default: group.errorCode = ErrorCode.unknownServerError.rawValue
        }
        return group
    }

    private func unknownTopics(
        _ asked: OffsetFetchRequest.Group, _ context: RequestContext
    ) -> [OffsetFetchResponse.Group.Topic] {
        (asked.topics ?? []).filter { name(of: $0, context) == nil }.map { topic in
            var told = OffsetFetchResponse.Group.Topic()
            told.topicId = topic.topicId
            told.partitions = topic.partitionIndexes.map { index in
                var place = OffsetFetchResponse.Group.Topic.Partition()
                (place.partitionIndex, place.committedOffset) = (index, -1)
                place.metadata = ""
                place.errorCode = ErrorCode.unknownTopicId.rawValue
                return place
            }
            return told
        }
    }

    /// The answer before version 8, about one group.
    private static func single(
        _ group: OffsetFetchResponse.Group, _ request: OffsetFetchRequest,
        _ context: RequestContext
    ) -> OffsetFetchResponse {
        var response = OffsetFetchResponse()
        response.errorCode = group.errorCode
        response.topics = group.topics.map { topic in
            var told = OffsetFetchResponse.Topic()
            told.name = topic.name
            told.partitions = topic.partitions.map { partition in
                var place = OffsetFetchResponse.Topic.Partition()
                place.partitionIndex = partition.partitionIndex
                place.committedOffset = partition.committedOffset
                place.committedLeaderEpoch = partition.committedLeaderEpoch
                place.metadata = partition.metadata
                place.errorCode = partition.errorCode
                return place
            }
            return told
        }
        guard context.version < 2, group.errorCode != 0 else { return response }
        // Version 1 has no place for an error but the partitions.
        response.topics = (request.topics ?? []).map { topic in
            var told = OffsetFetchResponse.Topic()
            told.name = topic.name
            told.partitions = topic.partitionIndexes.map { index in
                var place = OffsetFetchResponse.Topic.Partition()
                (place.partitionIndex, place.committedOffset) = (index, -1)
                (place.metadata, place.errorCode) = ("", group.errorCode)
                return place
            }
            return told
        }
        return response
    }
}
