internal import MillraceBase
internal import MillraceProtocol
internal import MillraceRecords
internal import Replication
internal import Storage

// Takes up the cluster's metadata: the flat tables, and the partitions that this shard has.
extension Shard {
    func apply(_ update: MetadataUpdate) {
        let isFirst = view == nil
        view = update.view
        for id in update.deleted { remove(topic: id) }
        if update.brokerConfigChanged { rederiveSettings(update.view) }
        for topic in update.changed { apply(topic, update.view) }
        if isFirst, identity.index == 0 { tidyDirectory() }
        // Start offset and recovery point of a partition that is gone must not be found again by
        // another of its name: before that takes anything they are off the disk.
        if isFirst || hasReopened || removedNames.count > Self.removedNamesMax {
            writeCheckpoints(isUrgent: true)
            (hasReopened, removedNames) = (false, [])
        } else if !update.deleted.isEmpty {
            writeCheckpoints()
        }
        control(.metadataApplied(shard: identity.index, through: update.view.offset))
    }

    private func apply(_ update: TopicUpdate, _ view: MetadataView) {
        let config = LogConfig(topic: update.overrides, view: view.config)
        let inSyncMin = Self.inSyncMin(update.overrides, view)
        let index = topics.index(id: update.id) ?? insert(update)
        guard var entry = topics[index] else { preconditionFailure("the topic was just found") }
        for partition in update.partitions {
            let place = Int(partition.index)
            if place >= entry.partitions.count {
                entry.partitions.append(
                    PartitionEntry(
                        id: TopicPartition(topic: update.id, index: Int32(place)), leader: .none,
                        leaderEpoch: .none, slot: nil, shard: nil))
            }
            let isOurs = partition.leader == identity.settings.nodeID
            let id = TopicPartition(topic: update.id, index: partition.index)
            let shard = Self.owner(of: update.name, partition.index, among: identity.count)
            entry.partitions[place].leader = partition.leader
            entry.partitions[place].leaderEpoch = partition.leaderEpoch
            entry.partitions[place].shard = isOurs ? shard : nil
            guard isOurs, shard == identity.index else {
                // Other shards number their slots themselves: a message names the partition's.
                continue
            }
            let slot = lead(
                id, of: update, epoch: partition.leaderEpoch, config, inSyncMin,
                entry.partitions[place].slot)
            entry.partitions[place].slot = slot
        }
        topics[index] = entry
        for partition in entry.partitions {
            guard let slot = partition.slot else { continue }
            configure(slot, config, inSyncMin)
        }
    }

    private func insert(_ update: TopicUpdate) -> Int {
        let isInternal =
            update.name == InternalTopic.consumerOffsets
            || update.name == InternalTopic.transactionState
            || update.name == InternalTopic.shareGroupState
        return topics.insert(
            TopicEntry(id: update.id, name: update.name, partitions: [], isInternal: isInternal))
    }

    private func configure(_ slot: PartitionSlot, _ config: LogConfig, _ inSyncMin: Int) {
        guard let partition = partition(slot) else { return }
        partition.log.config = config
        partition.inSyncMin = inSyncMin
        rules[slot.index] = config.appendRules(partitionName: partition.name)
    }

    /// This node leads the partition from now on: opens its log if need be.
    /// - Returns: its slot; nil if the log cannot be opened.
    private func lead(
        _ id: TopicPartition, of topic: TopicUpdate, epoch: LeaderEpoch, _ config: LogConfig,
        _ inSyncMin: Int, _ existing: PartitionSlot?
    ) -> PartitionSlot? {
        do throws(StorageError) {
            if let existing, let partition = partition(existing) {
                try partition.lead(epoch: epoch)
                return existing
            }
            let name = "\(topic.name)-\(id.index)"
            let log = try open(name, id, config)
            if log.bytesCutAtOpening > 0 {
                self.log.warn(
                    "torn tail cut", code: "storage.cut",
                    ["partition": .text(name), "bytes": LogValue(log.bytesCutAtOpening)])
            }
            let partition = try Partition(
                id: id, name: name, log: log, leaderEpoch: epoch, inSyncMin: inSyncMin)
            if removedNames.contains(name) { hasReopened = true }
            unopened.remove(name)
            let slot = put(partition, config.appendRules(partitionName: name))
            if topic.name == InternalTopic.consumerOffsets { coordinatorElected(id.index, slot) }
            return slot
        } catch {
            noteStorage(error)
            if existing == nil { unopened.insert("\(topic.name)-\(id.index)") }
            return existing
        }
    }

    private func open(
        _ name: String, _ id: TopicPartition, _ config: LogConfig
    ) throws(StorageError) -> PartitionLog {
        func attempt() throws(StorageError) -> PartitionLog {
            try PartitionLog.open(
                name: name, topicID: id.topic, in: identity.directory, config: config,
                files: files, contexts: contexts, now: now)
        }
        do throws(StorageError) {
            return try attempt()
        } catch {
            guard case .foreign = error else { throw error }
            // Left by a topic of this name that was deleted: the node stopped before it knew.
            try putAside(stray: name)
            return try attempt()
        }
    }

    private func putAside(stray name: String) throws(StorageError) {
        let target = try identity.directory.putAside(
            name, as: .stray, Uuid.random(using: &folderIDs))
        log.warn(
            "a folder belongs to no topic, and is put aside", code: "storage.stray",
            ["folder": .text(name), "name": .text(target)])
    }

    /// What earlier runs left in the directory: folders of deleted partitions are removed, those
    /// of topics that do not exist are put aside. Called before clients are served.
    private func tidyDirectory() {
        do throws(StorageError) {
            for name in try identity.directory.deletedNames() {
                effects.append(
                    .removeTree(
                        path: identity.directory.path + "/" + name,
                        FileSystemReference(identity.directory.fileSystem), after: .zero))
            }
            for name in try identity.directory.partitionNames() {
                let partition = PartitionName(name)
                let index = partition.flatMap { topics.index(name: $0.topic) }
                let entry = index.flatMap { topics.partition($0, partition?.index ?? -1) }
                if entry == nil { try putAside(stray: name) }
            }
        } catch {
            noteStorage(error)
        }
    }

    private func remove(topic id: TopicID) {
        guard let index = topics.index(id: id), let entry = topics[index] else { return }
        topics.remove(index)
        for case let slot? in entry.partitions.map(\.slot) { remove(slot) }
        for partition in entry.partitions where partition.slot == nil {
            unopened.remove("\(entry.name)-\(partition.id.index)")
        }
        topicDeleted(entry.name)
    }

    private func put(_ partition: Partition, _ appendRules: AppendRules) -> PartitionSlot {
        guard let free = freeSlots.popLast() else {
            partitions.append(partition)
            rules.append(appendRules)
            return PartitionSlot(index: partitions.count - 1)
        }
        partitions[free.index] = partition
        rules[free.index] = appendRules
        return free
    }

    private func remove(_ slot: PartitionSlot) {
        guard let partition = partition(slot) else { return }
        // What another thread does for the partition is told to its slot, which must then be empty.
        if !partition.log.isBusy { freeSlots.append(slot) }
        partition.abandonAll(into: &partitionEffects)
        runPartitionEffects(slot)
        partitions[slot.index] = nil
        removedNames.insert(partition.name)
        do throws(StorageError) {
            let delay = Duration.milliseconds(partition.log.config.fileDeleteDelayMs)
            let path = try partition.log.markForDeletion(Uuid.random(using: &folderIDs))
            effects.append(
                .removeTree(
                    path: path, FileSystemReference(identity.directory.fileSystem), after: delay))
        } catch {
            noteStorage(error)
        }
    }

    /// Broker-wide settings are the defaults of all topics.
    private func rederiveSettings(_ view: MetadataView) {
        if identity.index == 0 { configureNetwork(view) }
        for name in topics.names {
            guard let index = topics.index(name: name), let entry = topics[index] else { continue }
            let overrides = view.topicOverrides(name)
            let config = LogConfig(topic: overrides, view: view.config)
            for case let slot? in entry.partitions.map(\.slot) {
                configure(slot, config, Self.inSyncMin(overrides, view))
            }
        }
    }

    /// It is one for all shards' connections: one of them tells it.
    private func configureNetwork(_ view: MetadataView) {
        do throws(ConfigError) {
            effects.append(
                .configureNetwork(
                    try DynamicNetwork(view.config, identity.settings.listeners)))
        } catch {
            log.error(
                "changed settings of the network are not taken up, the earlier ones stay",
                code: "net.settings", ["cause": .text(error.description)])
        }
    }

    /// `min.insync.replicas`, but never more than there are replicas: one.
    private static func inSyncMin(_ overrides: [String: String], _ view: MetadataView) -> Int {
        guard
            case .integer(let count)? = view.config.topicValue(
                "min.insync.replicas", overrides: overrides)
        else { return 1 }
        return min(Int(clamping: count), 1)
    }
}

/// The names of topics that the brokers keep for themselves.
package enum InternalTopic {
    package static let consumerOffsets = "__consumer_offsets"
    package static let transactionState = "__transaction_state"
    package static let shareGroupState = "__share_group_state"
}
