internal import MillraceBase
internal import MillraceProtocol

// Committed offsets: OffsetCommit, OffsetDelete, expiry, topics that go.
extension GroupCoordinator {
    mutating func commit(
        _ request: OffsetCommitRequest, _ token: RequestToken, _ now: Moment,
        _ effects: inout [GroupEffect]
    ) {
        let id = request.groupId
        if let code = refusal(of: request) {
            return effects.append(.reply(token, .failed(code)))
        }
        var codes: [ErrorCode] = []
        var records: [CoordinatorRecord] = []
        var changes: [(CommittedOffsets.Place, OffsetCommitValue)] = []
        for topic in request.topics {
            for partition in topic.partitions {
                let metadata = partition.committedMetadata ?? ""
                guard metadata.utf8.count <= settings.offsetMetadataBytesMax else {
                    codes.append(.offsetMetadataTooLarge)
                    continue
                }
                codes.append(.none)
                var value = OffsetCommitValue()
                value.offset = partition.committedOffset
                value.leaderEpoch = partition.committedLeaderEpoch
                value.metadata = metadata
                value.commitTimestamp = now.timestamp.rawValue
                value.topicId = topic.topicId
                if request.retentionTimeMs >= 0 {
                    value.expireTimestamp =
                        now.timestamp.rawValue.addingReportingOverflow(request.retentionTimeMs)
                        .partialValue
                    value.expireTimestamp = max(value.expireTimestamp, -1)
                }
                let place = CommittedOffsets.Place(
                    topic: topic.name, partition: partition.partitionIndex)
                changes.append((place, value))
                records.append(
                    GroupRecords.offset(
                        group: id, topic: place.topic, partition: place.partition, value))
            }
        }
        // One request is one batch, as Kafka has it: too much for that is refused whole.
        let bytes = records.reduce(0) { $0 + $1.bytesMax }
        guard bytes <= settings.appendBytesMax else {
            return effects.append(.reply(token, .failed(.invalidCommitOffsetSize)))
        }
        restartSession(id, request.memberId, now)
        guard !records.isEmpty else {
            return effects.append(.reply(token, .commit(codes)))
        }
        if groups[id] == nil { groups[id] = Group(id: id, now: now.timestamp) }
        for (place, value) in changes { offsets.replay(id, place, value) }
        let change = append(records, group: id, &effects)
        self.changes.wait(for: change, .reply(token, .commit(codes)))
    }

    private func refusal(of request: OffsetCommitRequest) -> ErrorCode? {
        let generation = request.generationIdOrMemberEpoch
        guard let group = groups[request.groupId] else {
            // Without a generation it is a client that manages its partitions itself.
            return generation < 0 ? nil : .illegalGeneration
        }
        if generation < 0, group.state == .empty { return nil }
        if generation < 0, request.memberId.isEmpty, request.groupInstanceId == nil {
            return .unknownMemberId  // the group has members, and this is none of them
        }
        if let code = group.check(member: request.memberId, instance: request.groupInstanceId) {
            return code
        }
        guard generation == group.generation else { return .illegalGeneration }
        return group.state == .completingRebalance ? .rebalanceInProgress : nil
    }

    mutating func deleteOffsets(
        _ request: OffsetDeleteRequest, _ token: RequestToken, _ now: Moment,
        _ effects: inout [GroupEffect]
    ) {
        let id = request.groupId
        if id.isEmpty { return effects.append(.reply(token, .failed(.invalidGroupId))) }
        guard let group = groups[id] else {
            return effects.append(.reply(token, .failed(.groupIdNotFound)))
        }
        guard group.state == .empty || group.protocolType == "consumer" else {
            return effects.append(.reply(token, .failed(.nonEmptyGroup)))
        }
        var codes: [ErrorCode] = []
        var records: [CoordinatorRecord] = []
        for topic in request.topics {
            let isSubscribed = group.isSubscribed(to: topic.name)
            for partition in topic.partitions {
                codes.append(isSubscribed ? .groupSubscribedToTopic : .none)
                let place = CommittedOffsets.Place(
                    topic: topic.name, partition: partition.partitionIndex)
                if !isSubscribed, offsets.entry(id, place) != nil {
                    records.append(forget(place, of: id))
                }
            }
        }
        guard !records.isEmpty else {
            return effects.append(.reply(token, .deletedOffsets(codes)))
        }
        let change = append(records, group: id, &effects)
        changes.wait(for: change, .reply(token, .deletedOffsets(codes)))
    }

    /// Forgets an offset.
    /// - Returns: the record that says so.
    mutating func forget(
        _ place: CommittedOffsets.Place, of group: String
    ) -> CoordinatorRecord {
        offsets.remove(group, place)
        return GroupRecords.offset(
            group: group, topic: place.topic, partition: place.partition, nil)
    }

    /// Topics are gone: so are the offsets committed for them.
    /// - Parameter id: what was committed for a topic of this id stays, and what does not say for
    ///   which.
    mutating func forget(
        _ topics: [String], unless id: Uuid?, _ effects: inout [GroupEffect]
    ) {
        for (group, places) in offsets.places(of: topics) {
            let gone = places.filter { place in
                guard let id, let entry = offsets.entry(group, place) else { return true }
                return entry.topicID != id && entry.topicID != .zero
            }
            let records = gone.map { forget($0, of: group) }
            if !records.isEmpty { _ = append(records, group: group, &effects) }
        }
    }

    /// Forgets offsets whose time is over, and groups that have nothing left (KIP-211). A wall
    /// clock that jumps ends nobody's time early.
    mutating func expireOffsets(_ now: Moment, _ effects: inout [GroupEffect]) {
        let now = clock?.trusted(now) ?? now.timestamp
        for id in groups.keys.sorted() {
            guard let group = groups[id] else { continue }
            let expired = offsets.all(id).filter { place, entry in
                isExpired(entry, place, group, now)
            }
            let records = expired.map { forget($0.place, of: id) }
            if group.state == .empty, group.pending.isEmpty, !offsets.has(id) {
                groups[id] = nil
                _ = append(records + [GroupRecords.group(id, nil)], group: id, &effects)
            } else if !records.isEmpty {
                _ = append(records, group: id, &effects)
            }
        }
    }

    private func isExpired(
        _ entry: CommittedOffsets.Entry, _ place: CommittedOffsets.Place, _ group: Group,
        _ now: Timestamp
    ) -> Bool {
        let base: Timestamp
        if group.protocolType == nil {
            base = entry.committed
        } else if group.state == .empty {
            base = max(group.stateTimestamp, entry.committed)
        } else if group.state == .stable, group.protocolType == "consumer",
            !group.isSubscribed(to: place.topic)
        {
            base = entry.committed
        } else {
            return false
        }
        if let expires = entry.expires { return now >= expires }
        let age = now.rawValue.subtractingReportingOverflow(base.rawValue)
        return !age.overflow && .milliseconds(age.partialValue) >= settings.offsetsRetention
    }
}
