internal import MillraceBase
internal import MillraceProtocol
internal import Storage

extension Handler {
    static let describeLogDirs = Handler.deferring(.describeLogDirs, 1...5) {
        (shard, context, request: DescribeLogDirsRequest) in
        shard.describeLogDirs(request, context)
    }
}

extension Shard {
    fileprivate func describeLogDirs(
        _ request: DescribeLogDirsRequest, _ context: RequestContext
    ) {
        let wanted = request.topics.map { asked in
            Dictionary(asked.map { ($0.topic, Set($0.partitions)) }) { $0.union($1) }
        }
        let everywhere = (0..<identity.count).map { ($0, PartitionQuery.sizes(topics: wanted)) }
        ask(Dictionary(uniqueKeysWithValues: everywhere)) { shard, answers in
            var sizes: [String: [(Int32, Int64)]] = [:]
            for case .sizes(let found) in answers {
                for element in found {
                    sizes[element.topic, default: []].append((element.partition, element.bytes))
                }
            }
            shard.reply(context.token, shard.logDirs(sizes))
        }
    }

    private func logDirs(_ sizes: [String: [(Int32, Int64)]]) -> DescribeLogDirsResponse {
        var response = DescribeLogDirsResponse()
        var result = DescribeLogDirsResponse.Result()
        let directory = identity.directory
        result.logDir = directory.path
        if directory.offlineCause != nil {
            result.errorCode = ErrorCode.kafkaStorageError.rawValue
            response.results = [result]
            return response
        }
        for (name, partitions) in sizes.sorted(by: { $0.key < $1.key }) {
            var topic = DescribeLogDirsResponse.Result.Topic()
            topic.name = name
            for (index, bytes) in partitions.sorted(by: { $0.0 < $1.0 }) {
                var partition = DescribeLogDirsResponse.Result.Topic.Partition()
                (partition.partitionIndex, partition.partitionSize) = (index, bytes)
                topic.partitions.append(partition)
            }
            result.topics.append(topic)
        }
        do throws(FileFault) {
            let space = try directory.fileSystem.space(directory.path)
            (result.totalBytes, result.usableBytes) = (space.total, space.usable)
        } catch {
            (result.totalBytes, result.usableBytes) = (-1, -1)  // Kafka's "not known"
        }
        response.results = [result]
        return response
    }
}
