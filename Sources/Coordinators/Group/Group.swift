internal import MillraceBase
internal import MillraceProtocol

/// Where a classic group stands.
enum GroupState: String {
    case empty = "Empty"
    /// Members are joining.
    case preparingRebalance = "PreparingRebalance"
    /// The leader's assignment is awaited.
    case completingRebalance = "CompletingRebalance"
    case stable = "Stable"
}

/// One member of a classic group.
struct Member {
    struct GroupProtocol: Equatable {
        var name: String
        var metadata: [UInt8]
    }

    var id: String
    /// `group.instance.id` of a static member (KIP-345).
    var instanceID: String?
    var client: GroupClient
    var rebalanceTimeoutMs: Int32
    var sessionTimeoutMs: Int32
    var protocols: [GroupProtocol]
    var assignment: [UInt8] = []
    /// A JoinGroup that waits for the join phase's end.
    var awaitingJoin: RequestToken?
    /// A SyncGroup that waits for the leader's assignment.
    var awaitingSync: RequestToken?
    var session: TimerID?
    /// Whether it has not been part of a generation yet: it may be slow to come back (KIP-394).
    var isNew = true

    /// The metadata that it sent for a protocol.
    func metadata(of name: String) -> [UInt8] {
        protocols.first { $0.name == name }?.metadata ?? []
    }

    func matches(_ others: [GroupProtocol]) -> Bool { protocols == others }
}

/// The delay of a rebalance from the empty state.
struct InitialDelay: Equatable {
    /// How much it may be extended, in all.
    var left: Duration
    /// Somebody joined since it was last extended.
    var hasNewMember = false
}

/// A classic group: its members and where the rebalance stands. Offsets are kept beside it.
struct Group {
    let id: String
    var state = GroupState.empty
    var generation: Int32 = 0
    var protocolType: String?
    var protocolName: String?
    var leader: String?
    var members: [String: Member] = [:]
    /// Member ids in the order of joining: votes and lists go by it, not by hash order.
    var order: [String] = []
    /// Instance id → member id.
    var statics: [String: String] = [:]
    /// Ids that were given out and have not come back to join.
    var pending: [String: TimerID] = [:]
    /// Members that have not sent SyncGroup in this generation.
    var pendingSync: Set<String> = []
    /// Set while a rebalance from the empty state waits for members to come
    /// (`group.initial.rebalance.delay.ms`).
    var initialDelay: InitialDelay?
    var joinTimer: TimerID?
    var syncTimer: TimerID?
    /// The leader's assignment, while its record is not committed.
    var appendedAssignment: [String: [UInt8]] = [:]
    var stateTimestamp: Timestamp

    init(id: String, now: Timestamp) {
        self.id = id
        stateTimestamp = now
    }

    /// Members in the order of joining.
    var joined: [Member] { order.compactMap { members[$0] } }

    mutating func add(_ member: Member) {
        precondition(member.instanceID.map { statics[$0] == nil } ?? true, "an instance is one")
        if members.updateValue(member, forKey: member.id) == nil { order.append(member.id) }
        if let instance = member.instanceID { statics[instance] = member.id }
        if leader == nil { leader = member.id }
    }

    @discardableResult
    mutating func remove(_ id: String) -> Member? {
        guard let member = members.removeValue(forKey: id) else { return nil }
        order.removeAll { $0 == id }
        pendingSync.remove(id)
        if let instance = member.instanceID, statics[instance] == id { statics[instance] = nil }
        // The next leader is one that has joined, if there is one.
        if leader == id {
            leader = joined.first { $0.awaitingJoin != nil }?.id ?? order.first
        }
        return member
    }

    /// A static member comes back under a new id, in the old one's place.
    mutating func replace(_ old: String, with id: String) {
        guard var member = members.removeValue(forKey: old),
            let place = order.firstIndex(of: old)
        else { return }
        member.id = id
        members[id] = member
        order[place] = id
        if let instance = member.instanceID { statics[instance] = id }
        if leader == old { leader = id }
        if pendingSync.remove(old) != nil { pendingSync.insert(id) }
    }

    /// The JoinGroup that a member waits with, which is to be answered now.
    mutating func takeJoin(of member: String) -> RequestToken? {
        defer { members[member]?.awaitingJoin = nil }
        return members[member]?.awaitingJoin
    }

    /// The SyncGroup that a member waits with, which is to be answered now.
    mutating func takeSync(of member: String) -> RequestToken? {
        defer { members[member]?.awaitingSync = nil }
        return members[member]?.awaitingSync
    }

    /// Whether all members are in the join phase and nobody who got an id is awaited.
    var haveAllJoined: Bool {
        pending.isEmpty && members.values.allSatisfy { $0.awaitingJoin != nil }
    }

    /// Protocols that every member knows.
    private var candidates: Set<String> {
        var common: Set<String>?
        for member in members.values {
            let names = Set(member.protocols.map(\.name))
            common = common.map { $0.intersection(names) } ?? names
        }
        return common ?? []
    }

    /// Whether a member with these protocols fits in.
    func supports(type: String, _ protocols: [Member.GroupProtocol]) -> Bool {
        guard state != .empty else { return !type.isEmpty && !protocols.isEmpty }
        // Its last member may have left while it waits for others: then nobody is in the way.
        let common = members.isEmpty ? Set(protocols.map(\.name)) : candidates
        return protocolType == type && protocols.contains { common.contains($0.name) }
    }

    /// The protocol with the most votes: each member votes for the first of its own that all know.
    func votedProtocol() -> String? {
        let common = candidates
        var votes: [(name: String, count: Int)] = []
        for member in joined {
            guard let vote = member.protocols.first(where: { common.contains($0.name) }) else {
                continue
            }
            if let index = votes.firstIndex(where: { $0.name == vote.name }) {
                votes[index].count += 1
            } else {
                votes.append((vote.name, 1))
            }
        }
        guard let most = votes.map(\.count).max() else { return nil }
        return votes.first { $0.count == most }?.name
    }

    /// The longest time that a member may take to join again.
    var rebalanceTimeoutMs: Int32 { members.values.map(\.rebalanceTimeoutMs).max() ?? 0 }

    /// Whether consumers of the group subscribe to a topic; where their subscriptions cannot be
    /// read, they might.
    func isSubscribed(to topic: String) -> Bool {
        guard protocolType == "consumer" else { return false }
        if members.isEmpty { return false }
        guard let name = protocolName else { return true }
        return members.values.contains { member in
            Self.topics(of: member.metadata(of: name)).map { $0.contains(topic) } ?? true
        }
    }

    /// The topics of an embedded consumer subscription: `int16 version`, then the message.
    private static func topics(of metadata: [UInt8]) -> [String]? {
        metadata.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            do throws(CodecError) {
                let version = min(try reader.readInt16(), 3)
                guard version >= 0 else { return nil }
                return try ConsumerProtocolSubscription(from: &reader, version: version).topics
            } catch {
                return nil  // a client's own format
            }
        }
    }

    mutating func move(to state: GroupState, at now: Timestamp) {
        self.state = state
        stateTimestamp = now
    }
}
