internal import MillraceBase
internal import MillraceProtocol
internal import MillraceRecords

/// Control batches of the metadata log: one or more records whose keys say what they are.
enum ControlBatch {
    /// Kafka's number of each kind.
    enum Kind: Int16 {
        case leaderChange = 2
        case snapshotHeader = 3
        case snapshotFooter = 4
        case kraftVersion = 5
        case kraftVoters = 6

        /// A record's key: version 0 of the key, then the kind.
        var key: [UInt8] { [0, 0, 0, UInt8(rawValue)] }

        init?(key: UnsafeRawBufferPointer?) {
            guard let key, key.count >= 4 else { return nil }
            self.init(rawValue: Int16(key[2]) << 8 | Int16(key[3]))
        }
    }

    /// What a new leader writes first: who it is, who votes, who voted for it.
    static func leaderChange(
        leader: NodeID, voters: [NodeID], at offset: Offset, epoch: LeaderEpoch,
        timestamp: Timestamp
    ) -> [UInt8] {
        var message = LeaderChangeMessage()
        message.leaderId = leader.rawValue
        message.voters = voters.map {
            var voter = LeaderChangeMessage.Voter()
            voter.voterId = $0.rawValue
            return voter
        }
        var granting = LeaderChangeMessage.GrantingVoter()
        granting.voterId = leader.rawValue
        message.grantingVoters = [granting]
        return bytes(.leaderChange, message, at: offset, epoch: epoch, timestamp: timestamp)
    }

    /// A batch of one control record, at version 0 of its message.
    static func bytes(
        _ kind: Kind, _ message: some Message, at offset: Offset, epoch: LeaderEpoch,
        timestamp: Timestamp
    ) -> [UInt8] {
        var builder = BatchBuilder(
            baseOffset: offset, leaderEpoch: epoch, isControl: true, capacity: 128)
        builder.append(timestamp: timestamp, key: kind.key, value: value(message))
        return builder.finish()
    }

    private static func value(_ message: some Message) -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        do throws(CodecError) {
            try message.encode(into: &writer, version: 0)
        } catch {
            preconditionFailure("version 0 of a control record holds all that it is given")
        }
        return writer.array()
    }
}

/// Batches of records that carry state.
enum RecordsBatch {
    static func bytes(
        _ values: [[UInt8]], at offset: Offset, epoch: LeaderEpoch, timestamp: Timestamp
    ) -> [UInt8] {
        let size = values.reduce(RecordBatchHeader.size) {
            $0 + BatchBuilder.bytesMax(key: 0, value: $1.count)
        }
        var builder = BatchBuilder(baseOffset: offset, leaderEpoch: epoch, capacity: size)
        for value in values { builder.append(timestamp: timestamp, key: nil, value: value) }
        return builder.finish()
    }
}
