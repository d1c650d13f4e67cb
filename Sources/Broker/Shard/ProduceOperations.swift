package import MillraceBase
package import MillraceProtocol

/// An item of a Produce request: one partition's batch, for the shard that has the partition.
package struct ProduceItem: Sendable {
    /// Place in the request, counted over all its partitions.
    package var index: Int
    package var partition: TopicPartition
    package var batch: [UInt8]
}

/// The items of a Produce request that another shard has.
package struct ProducePart: Sendable {
    package var shard: Int
    package var operation: UInt64
    package var waitsForAll: Bool
    package var items: [ProduceItem]
}

/// What became of an item.
package struct ProducePartResult: Sendable {
    package var index: Int
    package var outcome: ProduceOutcome
}

/// The answer for one partition of a Produce request.
package struct ProduceOutcome: Hashable, Sendable {
    package var errorCode = ErrorCode.none
    package var baseOffset: Int64 = -1
    package var logAppendTime: Int64 = -1
    package var logStartOffset: Int64 = -1
    package var message: String?
    package var recordErrors: [ProduceResponse.Response.PartitionResponse.RecordError] = []

    static func refused(_ code: ErrorCode, _ message: String? = nil) -> ProduceOutcome {
        ProduceOutcome(errorCode: code, message: message)
    }
}

extension ProduceResponse.Response.PartitionResponse.RecordError: Hashable {
    package func hash(into hasher: inout Hasher) { hasher.combine(batchIndex) }
}

/// A Produce request that is being carried out, on the shard of its connection.
struct ProduceOperation {
    let token: ReplyToken
    let acks: Int16
    /// The topics of the request that name a partition; their partitions, counted through, are its
    /// items.
    let topics: [ProduceRequest.TopicData]
    /// By item.
    private(set) var outcomes: [ProduceOutcome]
    /// Items without an outcome.
    private(set) var remaining: Int

    init(_ request: ProduceRequest, token: ReplyToken) {
        (self.token, acks) = (token, request.acks)
        let hasEmpty = request.topicData.contains { $0.partitionData.isEmpty }
        topics =
            hasEmpty
            ? request.topicData.filter { !$0.partitionData.isEmpty } : request.topicData
        remaining = topics.reduce(0) { $0 + $1.partitionData.count }
        outcomes = Array(repeating: ProduceOutcome(), count: remaining)
    }

    mutating func complete(_ item: Int, _ outcome: ProduceOutcome) {
        outcomes[item] = outcome
        remaining -= 1
    }

    /// Whether a partition took nothing.
    var hasFailed: Bool { outcomes.contains { $0.errorCode != .none } }

    /// The answer, once all items have their outcomes.
    func response() -> ProduceResponse {
        var response = ProduceResponse()
        response.responses.reserveCapacity(topics.count)
        var item = 0
        for topic in topics {
            var answer = ProduceResponse.Response()
            (answer.name, answer.topicId) = (topic.name, topic.topicId)
            answer.partitionResponses.reserveCapacity(topic.partitionData.count)
            for partition in topic.partitionData {
                answer.partitionResponses.append(outcomes[item].told(of: partition.index))
                item += 1
            }
            response.responses.append(answer)
        }
        return response
    }
}

extension ProduceOutcome {
    fileprivate func told(of index: Int32) -> ProduceResponse.Response.PartitionResponse {
        var partition = ProduceResponse.Response.PartitionResponse()
        partition.index = index
        partition.errorCode = errorCode.rawValue
        partition.baseOffset = baseOffset
        partition.logAppendTimeMs = logAppendTime
        partition.logStartOffset = logStartOffset
        partition.errorMessage = message
        partition.recordErrors = recordErrors
        return partition
    }
}

/// Produce requests that wait for something, in slots that are used again: one is made, filled and
/// taken for every request.
struct ProduceOperations {
    private var slots: [ProduceOperation?] = []
    /// How often each slot was taken: an id names its operation only.
    private var generations: [UInt32] = []
    private var free: [Int] = []

    /// Keeps an operation.
    /// - Returns: its id, which is not used again.
    mutating func insert(_ operation: ProduceOperation) -> UInt64 {
        let slot: Int
        if let used = free.popLast() {
            slot = used
            slots[slot] = operation
        } else {
            slot = slots.count
            slots.append(operation)
            generations.append(0)
        }
        return UInt64(generations[slot]) << 32 | UInt64(slot)
    }

    /// Notes what became of an item.
    /// - Returns: the operation, which is then gone, if that was its last item.
    mutating func complete(
        _ id: UInt64, _ item: Int, _ outcome: ProduceOutcome
    ) -> ProduceOperation? {
        let slot = Int(id & 0xFFFF_FFFF)
        guard slot < slots.count, UInt64(generations[slot]) == id >> 32 else { return nil }
        slots[slot]?.complete(item, outcome)
        guard slots[slot]?.remaining == 0 else { return nil }
        generations[slot] &+= 1
        free.append(slot)
        return slots[slot].take()
    }
}
