package import MillraceBase

/// What a node must not forget about elections: the content of the file `quorum-state`, JSON as
/// Kafka writes it (`QuorumStateData`; version 0 with static voters).
package struct QuorumState: Hashable, Sendable {
    package var leader: NodeID
    package var epoch: LeaderEpoch
    package var voted: NodeID
    package var votedDirectory: Uuid
    /// Version 0 only: the voters of a static quorum.
    package var voters: [NodeID]
    /// 0 with static voters, 1 with KIP-853's.
    package var dataVersion: Int16

    package init(
        leader: NodeID = .none, epoch: LeaderEpoch, voted: NodeID = .none,
        votedDirectory: Uuid = .zero, voters: [NodeID], dataVersion: Int16 = 0
    ) {
        (self.leader, self.epoch, self.voted) = (leader, epoch, voted)
        (self.votedDirectory, self.voters) = (votedDirectory, voters)
        self.dataVersion = dataVersion
    }

    /// The file's content.
    package var text: String {
        if dataVersion == 0 {
            let voters = voters.map { "{\"voterId\":\($0.rawValue)}" }.joined(separator: ",")
            return "{\"clusterId\":\"\",\"leaderId\":\(leader.rawValue),"
                + "\"leaderEpoch\":\(epoch.rawValue),\"votedId\":\(voted.rawValue),"
                + "\"appliedOffset\":0,\"currentVoters\":[\(voters)],\"data_version\":0}"
        }
        return "{\"leaderId\":\(leader.rawValue),\"leaderEpoch\":\(epoch.rawValue),"
            + "\"votedId\":\(voted.rawValue),\"votedDirectoryId\":\"\(votedDirectory)\","
            + "\"data_version\":1}"
    }

    /// Reads the file's content.
    package init(_ text: String) throws(RaftError) {
        var reader = JSONReader(text)
        guard let value = reader.value(), reader.isAtEnd, case .object(let fields) = value else {
            throw .invalidQuorumState("it is no JSON object")
        }
        guard let version = fields["data_version"]?.integer, version == 0 || version == 1 else {
            throw .invalidQuorumState("its data_version is neither 0 nor 1")
        }
        guard let leader = fields["leaderId"]?.integer, let leader = Int32(exactly: leader),
            let epoch = fields["leaderEpoch"]?.integer, let epoch = Int32(exactly: epoch),
            let voted = fields["votedId"]?.integer, let voted = Int32(exactly: voted), epoch >= -1
        else { throw .invalidQuorumState("leaderId, leaderEpoch or votedId is missing") }
        self.init(
            leader: NodeID(leader), epoch: LeaderEpoch(epoch), voted: NodeID(voted), voters: [],
            dataVersion: Int16(version))
        if case .text(let directory)? = fields["votedDirectoryId"], let id = Uuid(directory) {
            votedDirectory = id
        }
        if case .array(let elements)? = fields["currentVoters"] {
            for element in elements {
                guard case .object(let voter) = element, let id = voter["voterId"]?.integer,
                    let id = Int32(exactly: id)
                else { throw .invalidQuorumState("a voter has no voterId") }
                voters.append(NodeID(id))
            }
        }
    }
}
