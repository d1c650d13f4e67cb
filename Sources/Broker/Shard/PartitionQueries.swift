package import MillraceBase
internal import MillraceProtocol
internal import Replication
internal import Storage

/// Questions about partitions for the shard that has them: several partitions a message.
package enum PartitionQuery: Sendable {
    case listOffsets([OffsetQuestion])
    case epochEnds([EpochQuestion])
    case deleteRecords([DeletionQuestion])
    /// All partitions of the shard, by topic; nil: of all topics.
    case sizes(topics: [String: Set<Int32>]?)
}

/// ListOffsets for one partition.
package struct OffsetQuestion: Sendable {
    package var index: Int
    package var topic: TopicID
    package var partition: Int32
    package var timestamp: Int64
    package var currentLeaderEpoch: Int32
}

/// OffsetForLeaderEpoch for one partition.
package struct EpochQuestion: Sendable {
    package var index: Int
    package var topic: TopicID
    package var partition: Int32
    package var epoch: Int32
    package var currentLeaderEpoch: Int32
}

/// DeleteRecords for one partition.
package struct DeletionQuestion: Sendable {
    package var index: Int
    package var topic: TopicID
    package var partition: Int32
    /// −1: the high watermark.
    package var offset: Int64
}

/// Answers to a `PartitionQuery`, each with the index of its question.
package enum PartitionAnswer: Sendable {
    case offsets([(index: Int, errorCode: Int16, timestamp: Int64, offset: Int64, epoch: Int32)])
    case epochEnds([(index: Int, errorCode: Int16, epoch: Int32, end: Int64)])
    case deletions([(index: Int, errorCode: Int16, lowWatermark: Int64)])
    case sizes([(topic: String, partition: Int32, bytes: Int64)])
}

/// Requests that wait for answers from shards.
struct PartitionQueries {
    /// One request: what finishes it once all answers are here.
    struct Waiting {
        var remaining: Int
        var answers: [PartitionAnswer] = []
        let finish: (Shard, [PartitionAnswer]) -> Void
    }

    var waiting: [UInt64: Waiting] = [:]
}

extension Shard {
    /// Puts questions to shards and calls `finish` when all have answered.
    func ask(
        _ questions: [Int: PartitionQuery],
        finish: @escaping (Shard, [PartitionAnswer]) -> Void
    ) {
        guard !questions.isEmpty else { return finish(self, []) }
        let id = newOperation()
        queries.waiting[id] = PartitionQueries.Waiting(remaining: questions.count, finish: finish)
        for (shard, question) in questions.sorted(by: { $0.key < $1.key }) {
            post(shard, .query(question, from: identity.index, operation: id))
        }
    }

    func answered(_ id: UInt64, _ answer: PartitionAnswer) {
        guard var waiting = queries.waiting.removeValue(forKey: id) else { return }
        waiting.answers.append(answer)
        waiting.remaining -= 1
        if waiting.remaining == 0 {
            waiting.finish(self, waiting.answers)
        } else {
            queries.waiting[id] = waiting
        }
    }

    func answer(_ query: PartitionQuery, from shard: Int, operation: UInt64) {
        let answer: PartitionAnswer
        switch query {
        case .listOffsets(let questions): answer = .offsets(questions.map { listOffset($0) })
        case .epochEnds(let questions): answer = .epochEnds(questions.map { epochEnd($0) })
        case .deleteRecords(let questions): answer = .deletions(questions.map { delete($0) })
        case .sizes(let topics): answer = .sizes(sizes(topics))
        }
        post(shard, .answer(operation: operation, answer))
    }

    /// The partition, if this shard has it and the epoch is right.
    private func partition(
        _ topic: TopicID, _ index: Int32, epoch: Int32 = -1
    ) -> Result<Partition, ErrorCode> {
        guard let entry = topics.index(id: topic).flatMap({ topics.partition($0, index) }) else {
            return .failure(.unknownTopicOrPartition)
        }
        guard let slot = entry.slot, let partition = partition(slot) else {
            return .failure(.notLeaderOrFollower)
        }
        if let code = checkEpoch(epoch, of: partition) { return .failure(code) }
        return .success(partition)
    }

    private func listOffset(
        _ question: OffsetQuestion
    ) -> (index: Int, errorCode: Int16, timestamp: Int64, offset: Int64, epoch: Int32) {
        switch partition(question.topic, question.partition, epoch: question.currentLeaderEpoch) {
        case .failure(let code): return (question.index, code.rawValue, -1, -1, -1)
        case .success(let partition):
            do throws(StorageError) {
                let (timestamp, offset, epoch) = try Self.offset(question.timestamp, partition)
                return (question.index, 0, timestamp, offset, epoch)
            } catch {
                noteStorage(error)
                return (question.index, error.errorCode.rawValue, -1, -1, -1)
            }
        }
    }

    /// Offset and time for a timestamp or one of ListOffsets' special values.
    private static func offset(
        _ timestamp: Int64, _ partition: Partition
    ) throws(StorageError) -> (timestamp: Int64, offset: Int64, epoch: Int32) {
        let log = partition.log
        let latest = partition.leaderEpoch.rawValue
        switch timestamp {
        case -1: return (-1, partition.highWatermark.rawValue, latest)
        case -2, -4:
            let epoch = log.epoch(of: log.startOffset)?.rawValue ?? latest
            return (-1, log.startOffset.rawValue, epoch)
        case -5, -6: return (-1, -1, -1)  // nothing is on tiered storage, nor on its way
        case -3:
            // What a failure of this node could still take away is not told.
            guard let found = try log.offsetOfMaxTimestamp(), found.offset < partition.highWatermark
            else { return (-1, -1, -1) }
            return (found.timestamp.rawValue, found.offset.rawValue, found.leaderEpoch.rawValue)
        default:
            let found = try log.offset(
                forTimestamp: Timestamp(timestamp), upTo: partition.highWatermark)
            guard let found else { return (-1, -1, -1) }
            return (found.timestamp.rawValue, found.offset.rawValue, found.leaderEpoch.rawValue)
        }
    }

    private func epochEnd(
        _ question: EpochQuestion
    ) -> (index: Int, errorCode: Int16, epoch: Int32, end: Int64) {
        switch partition(question.topic, question.partition, epoch: question.currentLeaderEpoch) {
        case .failure(let code): return (question.index, code.rawValue, -1, -1)
        case .success(let partition):
            let (epoch, end) = partition.log.endOffset(for: LeaderEpoch(question.epoch))
            return (question.index, 0, epoch.rawValue, end.rawValue)
        }
    }

    private func delete(
        _ question: DeletionQuestion
    ) -> (index: Int, errorCode: Int16, lowWatermark: Int64) {
        switch partition(question.topic, question.partition) {
        case .failure(let code): return (question.index, code.rawValue, -1)
        case .success(let partition):
            let log = partition.log
            guard log.config.deletes else {
                return (question.index, ErrorCode.policyViolation.rawValue, -1)
            }
            let target = question.offset == -1 ? partition.highWatermark : Offset(question.offset)
            guard target >= .zero, target <= partition.highWatermark else {
                return (question.index, ErrorCode.offsetOutOfRange.rawValue, -1)
            }
            do throws(StorageError) {
                if target > log.startOffset { try log.deleteRecords(before: target) }
                return (question.index, 0, log.startOffset.rawValue)
            } catch {
                noteStorage(error)
                return (question.index, error.errorCode.rawValue, -1)
            }
        }
    }

    private func sizes(
        _ wanted: [String: Set<Int32>]?
    ) -> [(topic: String, partition: Int32, bytes: Int64)] {
        var found: [(topic: String, partition: Int32, bytes: Int64)] = []
        for name in topics.names {
            guard let index = topics.index(name: name), let entry = topics[index] else { continue }
            let chosen = wanted.map { $0[name] ?? [] }
            for (number, place) in entry.partitions.enumerated() {
                guard let slot = place.slot, let partition = partition(slot) else { continue }
                if let chosen, !chosen.contains(Int32(number)) { continue }
                found.append((name, Int32(number), partition.log.byteCount))
            }
        }
        return found
    }
}
