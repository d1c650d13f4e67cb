package import Coordinators
package import MillraceBase
package import MillraceProtocol
internal import Storage

/// What shards and the control loop say to a shard. Each carries a command or a batch, never a
/// single record.
package enum ShardMessage: Sendable {
    /// The answer to a request of a connection of this shard.
    case reply(ReplyToken, Reply)
    /// The cluster's metadata has changed. Sent to every shard, in order.
    case metadata(MetadataUpdate)
    /// A block of producer ids for this shard; empty if there is none to be had now.
    case producerIDs(Range<Int64>)

    /// Append to partitions of this shard, for a request on another's connection.
    case produce(ProducePart)
    case produced(operation: UInt64, [ProducePartResult])
    /// Read partitions of this shard, for a request on another's connection.
    case fetch(FetchPart)
    case fetched(operation: UInt64, FetchPartAnswer)
    /// A fetch waits no more for partitions of this shard.
    case fetchEnded(shard: Int, operation: UInt64)
    /// A partition that a fetch of this shard's waits for has something new.
    case fetchWake(operation: UInt64)
    /// Ask partitions of this shard.
    case query(PartitionQuery, from: Int, operation: UInt64)
    case answer(operation: UInt64, PartitionAnswer)
    /// A request to this shard's coordinators.
    case coordinator(CoordinatorCall)
    case coordinated(operation: UInt64, part: Int, GroupResponse)

    /// Bytes of received records that it carries: memory of requests, until it has been told.
    package var requestBytes: Int {
        guard case .produce(let part) = self else { return 0 }
        return part.items.reduce(0) { $0 + $1.batch.count }
    }
}

/// What shards say to the control loop.
package enum ControlMessage: Sendable {
    /// A request that changes metadata, answered with `ShardMessage.reply`.
    case request(ControlRequest, ReplyToken, ConnectionInfo)
    /// Topics that a client asked for and that do not exist; nobody waits for an answer.
    case createTopics(names: [String])
    /// Answered with `ShardMessage.producerIDs`.
    case allocateProducerIDs(shard: Int)
    /// The shard has taken up the metadata up to this offset of the log.
    case metadataApplied(shard: Int, through: Offset)
    /// A log directory failed.
    case directoryFailed(Uuid)
}

/// Requests that the controller decides.
package enum ControlRequest: Sendable {
    case createTopics(CreateTopicsRequest)
    case deleteTopics(DeleteTopicsRequest)
    case createPartitions(CreatePartitionsRequest)
    case alterConfigs(AlterConfigsRequest)
    case incrementalAlterConfigs(IncrementalAlterConfigsRequest)
}

/// A request to a group coordinator, on its way to the shard that has the partition; answered with
/// `ShardMessage.coordinated`.
package struct CoordinatorCall: Sendable {
    /// Of `__consumer_offsets`; nil asks all coordinators of the shard, for a list.
    package var partition: Int32?
    /// Who asks: a shard, one of its operations, and the part of that which this is.
    package var shard: Int
    package var operation: UInt64
    package var part: Int
    package var client: GroupClient
    package var request: GroupRequest
}
