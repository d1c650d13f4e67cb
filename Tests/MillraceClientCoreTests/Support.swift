import MillraceBase
import MillraceClientCore
import MillraceProtocol
import MillraceRecords

/// Answers that tests give to machines.
enum Answers {
    /// One broker for each number in `leaders`, which are those of the topic's partitions.
    static func metadata(_ topic: String, leaders: [Int32], error: ErrorCode = .none)
        -> ClientResponse
    {
        var answer = MetadataResponse()
        var entry = MetadataResponse.Topic()
        entry.name = topic
        entry.errorCode = error.rawValue
        for (index, leader) in leaders.enumerated() {
            var partition = MetadataResponse.Topic.Partition()
            partition.partitionIndex = Int32(index)
            partition.leaderId = leader
            entry.partitions.append(partition)
        }
        answer.topics = [entry]
        return .metadata(answer)
    }

    static func producerID(_ id: Int64, epoch: Int16 = 0) -> ClientResponse {
        var answer = InitProducerIdResponse()
        answer.producerId = id
        answer.producerEpoch = epoch
        return .initProducerID(answer)
    }

    /// The same outcome for each partition of a request.
    static func produce(
        _ request: ProduceRequest, _ error: ErrorCode = .none, offset: Int64 = 0
    ) -> ClientResponse {
        var answer = ProduceResponse()
        for topic in request.topicData {
            var entry = ProduceResponse.Response()
            entry.name = topic.name
            for data in topic.partitionData {
                var part = ProduceResponse.Response.PartitionResponse()
                part.index = data.index
                part.errorCode = error.rawValue
                part.baseOffset = error == .none ? offset : -1
                entry.partitionResponses.append(part)
            }
            answer.responses.append(entry)
        }
        return .produce(answer)
    }
}

extension Instant {
    /// So many milliseconds from the start of a test.
    static func ms(_ milliseconds: Int64) -> Instant {
        Instant(nanoseconds: milliseconds * 1_000_000)
    }
}

extension ProduceRequest {
    /// The header of the only batch.
    var header: RecordBatchHeader? {
        guard case .bytes(let bytes)? = topicData.first?.partitionData.first?.records else {
            return nil
        }
        return bytes.withUnsafeBytes { bytes in
            // A batch that cannot be read shows as nil.
            try? RecordBatchHeader(reading: bytes)
        }
    }

    /// Partitions that it has records for.
    var partitions: [NamedPartition] {
        topicData.flatMap { topic in
            topic.partitionData.map { NamedPartition(topic.name, $0.index) }
        }
    }
}
