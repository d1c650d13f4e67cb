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
    /// The answer, filled in as the items are done.
    var response = ProduceResponse()
    /// Place of each item: its topic and partition in the answer.
    var places: [(topic: Int, partition: Int)] = []
    var remaining = 0
}

/// Produce requests that wait for something.
struct ProduceOperations {
    var waiting: [UInt64: ProduceOperation] = [:]
}
