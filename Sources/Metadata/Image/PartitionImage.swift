package import MillraceBase
package import MillraceProtocol

/// A partition as the metadata log has it.
package struct PartitionImage: Hashable, Sendable {
    package var replicas: [NodeID]
    package var isr: [NodeID]
    package var removingReplicas: [NodeID] = []
    package var addingReplicas: [NodeID] = []
    /// `.none` while there is none.
    package var leader: NodeID
    package var leaderEpoch: LeaderEpoch
    /// Counts the changes of this partition.
    package var partitionEpoch: Int32
    /// 1 while a leader elected uncleanly has not recovered.
    package var leaderRecoveryState: Int8 = 0
    /// The log directory of each replica, in the replicas' order.
    package var directories: [Uuid] = []
    /// Who has left the ISR and still may lead (KIP-966).
    package var eligibleLeaders: [NodeID] = []
    package var lastKnownEligibleLeaders: [NodeID] = []

    init(_ record: PartitionRecord) {
        replicas = record.replicas.map(NodeID.init(_:))
        // The usual case shares one array: there may be a million partitions.
        isr = record.isr == record.replicas ? replicas : record.isr.map(NodeID.init(_:))
        removingReplicas = record.removingReplicas.map(NodeID.init(_:))
        addingReplicas = record.addingReplicas.map(NodeID.init(_:))
        leader = NodeID(record.leader)
        leaderEpoch = LeaderEpoch(record.leaderEpoch)
        partitionEpoch = record.partitionEpoch
        leaderRecoveryState = record.leaderRecoveryState
        directories = record.directories
        eligibleLeaders = (record.eligibleLeaderReplicas ?? []).map(NodeID.init(_:))
        lastKnownEligibleLeaders = (record.lastKnownElr ?? []).map(NodeID.init(_:))
    }

    /// A new partition of these replicas, led by the first, all of them in the ISR.
    init(replicas: [NodeID], directories: [Uuid]) {
        (self.replicas, isr, self.directories) = (replicas, replicas, directories)
        leader = replicas.first ?? .none
        (leaderEpoch, partitionEpoch) = (LeaderEpoch(0), 0)
    }

    /// Takes a change in. A leader that is named raises the leader epoch, even if it is the same.
    mutating func apply(_ change: PartitionChangeRecord) {
        if let isr = change.isr { self.isr = isr.map(NodeID.init(_:)) }
        if let replicas = change.replicas { self.replicas = replicas.map(NodeID.init(_:)) }
        if let removing = change.removingReplicas {
            removingReplicas = removing.map(NodeID.init(_:))
        }
        if let adding = change.addingReplicas { addingReplicas = adding.map(NodeID.init(_:)) }
        if let directories = change.directories { self.directories = directories }
        if let eligible = change.eligibleLeaderReplicas {
            eligibleLeaders = eligible.map(NodeID.init(_:))
        }
        if let last = change.lastKnownElr { lastKnownEligibleLeaders = last.map(NodeID.init(_:)) }
        if change.leaderRecoveryState >= 0 { leaderRecoveryState = change.leaderRecoveryState }
        if change.leader != PartitionChangeRecord.noLeaderChange {
            leader = NodeID(change.leader)
            leaderEpoch.rawValue &+= 1
        }
        partitionEpoch &+= 1
    }

    /// The record that makes this partition.
    package func record(of topic: TopicID, index: Int32) -> PartitionRecord {
        var record = PartitionRecord()
        record.partitionId = index
        record.topicId = topic.uuid
        record.replicas = replicas.map(\.rawValue)
        record.isr = isr.map(\.rawValue)
        record.removingReplicas = removingReplicas.map(\.rawValue)
        record.addingReplicas = addingReplicas.map(\.rawValue)
        record.leader = leader.rawValue
        record.leaderRecoveryState = leaderRecoveryState
        record.leaderEpoch = leaderEpoch.rawValue
        record.partitionEpoch = partitionEpoch
        record.directories = directories
        if !eligibleLeaders.isEmpty {
            record.eligibleLeaderReplicas = eligibleLeaders.map(\.rawValue)
        }
        if !lastKnownEligibleLeaders.isEmpty {
            record.lastKnownElr = lastKnownEligibleLeaders.map(\.rawValue)
        }
        return record
    }
}

extension PartitionChangeRecord {
    /// What `leader` holds if the leader does not change.
    package static let noLeaderChange: Int32 = -2
}

/// A topic: its partitions lie in one array, by index from 0 without a gap.
package struct TopicImage: Hashable, Sendable {
    package let id: TopicID
    package let name: String
    package var partitions: [PartitionImage]

    init(id: TopicID, name: String) {
        (self.id, self.name, partitions) = (id, name, [])
    }

    /// The partition of that index, if there is one; the index may come from outside.
    package subscript(partition index: Int32) -> PartitionImage? {
        index >= 0 && index < partitions.count ? partitions[Int(index)] : nil
    }
}
