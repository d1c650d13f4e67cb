internal import MillraceBase
internal import MillraceProtocol

/// Chooses the brokers of new partitions.
struct ReplicaPlacer {
    let image: ClusterImage

    /// Spreads partitions over the active brokers in turn, from a random one on; where brokers have
    /// racks, the turn goes from rack to rack. Fenced brokers are taken when there are not enough
    /// others, and are not in the ISR.
    func place(
        partitions: Int, replicas: Int, using random: inout some RandomNumberGenerator
    ) throws(Refusal) -> [PartitionImage] {
        let brokers = image.brokers.map(\.value)
        let prefix = "Unable to replicate the partition \(replicas) time(s): "
        guard replicas <= brokers.count else {
            throw Refusal(
                .invalidReplicationFactor,
                prefix + "The target replication factor of \(replicas) cannot be reached because "
                    + "only \(brokers.count) broker(s) are registered or some brokers have all "
                    + "their log directories cordoned.")
        }
        let active = Self.turn(brokers.filter { image.isActive($0.id) })
        guard !active.isEmpty else {
            throw Refusal(
                .invalidReplicationFactor, prefix + "All brokers are currently fenced.")
        }
        let others = Self.turn(brokers.filter { !image.isActive($0.id) })
        let start = Int.random(in: 0..<active.count, using: &random)
        return (0..<partitions).map { index in
            var chosen: [NodeID] = []
            for step in 0..<min(replicas, active.count) {
                chosen.append(active[(start + index + step) % active.count])
            }
            for step in 0..<(replicas - chosen.count) {
                chosen.append(others[(index + step) % others.count])
            }
            return partition(chosen)
        }
    }

    /// Checks an assignment that a client made.
    ///
    /// - Parameter replicas: how many the partitions before it have; nil for the first.
    func assign(
        _ ids: [Int32], partition index: Int32, replicas: Int?
    ) throws(Refusal) -> PartitionImage {
        let prefix = "The manual partition assignment includes "
        guard !ids.isEmpty else {
            throw Refusal(.invalidReplicaAssignment, prefix + "an empty replica list.")
        }
        var previous: Int32?
        for id in ids.sorted() {
            guard image.brokers.contains(NodeID(id)) else {
                throw Refusal(
                    .invalidReplicaAssignment,
                    prefix + "broker \(id), but no such broker is registered.")
            }
            guard previous != id else {
                throw Refusal(
                    .invalidReplicaAssignment, prefix + "the broker \(id) more than once.")
            }
            previous = id
        }
        if let replicas, replicas != ids.count {
            throw Refusal(
                .invalidReplicaAssignment,
                prefix + "a partition with \(ids.count) replica(s), but this is not consistent "
                    + "with previous partitions, which have \(replicas) replica(s).")
        }
        let made = partition(ids.map(NodeID.init(_:)))
        guard !made.isr.isEmpty else {
            throw Refusal(
                .invalidReplicaAssignment,
                "All brokers specified in the manual partition assignment for partition \(index) "
                    + "are fenced or in controlled shutdown.")
        }
        return made
    }

    private func partition(_ replicas: [NodeID]) -> PartitionImage {
        var partition = PartitionImage(
            replicas: replicas, directories: replicas.map(directory(of:)))
        let isr = replicas.filter { image.isActive($0) }
        if isr != replicas { partition.isr = isr }
        partition.leader = isr.first ?? .none
        return partition
    }

    /// The only log directory of a broker; with several the broker chooses and tells.
    private func directory(of broker: NodeID) -> Uuid {
        guard let directories = image.brokers[broker]?.directories, directories.count == 1 else {
            return .zero
        }
        return directories[0]
    }

    /// The brokers in the order of their turn: one of each rack, then the next of each.
    private static func turn(_ brokers: [BrokerImage]) -> [NodeID] {
        var racks: PersistentMap<String, [NodeID]> = [:]
        for broker in brokers {
            racks.modify(broker.rack ?? "", default: []) { $0.append(broker.id) }
        }
        let most = racks.map(\.value.count).max() ?? 0
        return (0..<most).flatMap { round in
            racks.compactMap { round < $0.value.count ? $0.value[round] : nil }
        }
    }
}
