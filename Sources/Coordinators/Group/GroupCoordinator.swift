package import MillraceBase
internal import MillraceProtocol

/// The coordinator of the classic groups of one partition of `__consumer_offsets`: membership,
/// rebalances, committed offsets and their expiry (the protocol before KIP-848; KIP-345 and KIP-814
/// for static members, KIP-394 for member ids, KIP-62 for timeouts).
///
/// Pure: what outlives it is in the log's records, the rest is who waits. A change is appended,
/// replayed and answered when it is committed; if it is lost, so is the state, to be loaded anew.
package struct GroupCoordinator {
    /// What happens by time.
    enum Timer: Equatable {
        case session(group: String, member: String)
        /// An id that was given out and did not come back.
        case pendingMember(group: String, member: String)
        /// The end of the first rebalance's delay, or of the join phase.
        case joinPhase(group: String)
        case syncPhase(group: String)
        case expiry
    }

    /// What waits for a change to be committed.
    enum Waiting {
        case reply(RequestToken, GroupResponse)
        /// A static member that came back in place of itself (KIP-345).
        case returned(group: String, member: String, JoinGroupResponse)
        /// The leader's assignment: it is given out when it is in the log.
        case assignment(group: String, generation: Int32)
        /// A read of a group whose last change was not committed.
        case read(GroupRequest, GroupClient, RequestToken)
    }

    let settings: GroupSettings
    var groups: [String: Group] = [:]
    var offsets = CommittedOffsets()
    var timers = TimerQueue<Timer>()
    var changes = PendingChanges<Waiting>()
    var generator: any RandomNumberGenerator & Sendable
    /// The last change of each group that has one that is not committed.
    var lastChanges: [String: ChangeToken] = [:]
    /// While loading: records of transactions that have not ended.
    private var transactions: [Int64: [CoordinatorRecord]] = [:]
    /// What the ages of offsets are counted by, from when the log was loaded.
    var clock: WallClockGuard?
    package private(set) var isLoaded = false
    package private(set) var hasLostState = false

    /// How long a member that is new may take in its first join, whatever its session (Kafka's
    /// `group.new.member.join.timeout.ms`).
    static let newMemberTimeout = Duration.seconds(300)

    /// - Parameter generator: draws member ids.
    package init(settings: GroupSettings, generator: any RandomNumberGenerator & Sendable) {
        (self.settings, self.generator) = (settings, generator)
    }

    /// When the coordinator next wants to be told that time has passed.
    package var nextDeadline: Instant? { timers.nextDeadline }

    /// The names of topics that offsets are committed for, in order.
    package var topicsWithOffsets: [String] { offsets.topics }

    package mutating func step(
        _ event: GroupEvent, at now: Moment, into effects: inout [GroupEffect]
    ) {
        if hasLostState {
            if case .request(_, _, let token) = event {
                effects.append(.reply(token, .failed(.notCoordinator)))
            }
            return
        }
        switch event {
        case .request(let request, let client, let token):
            guard isLoaded else {
                return effects.append(.reply(token, .failed(.coordinatorLoadInProgress)))
            }
            handle(request, client, token, now, &effects)
        case .replay(let record, let transaction): replay(record, transaction, now)
        case .replayEnd(let transaction, let isCommit):
            let records = transactions.removeValue(forKey: transaction) ?? []
            if isCommit { for record in records { replay(record, nil, now) } }
        case .loaded: loaded(now)
        case .committed(let change): committed(change, now, &effects)
        case .lost(let code): lose(code, &effects)
        case .topicsDeleted(let topics):
            // While it is loaded, whoever loads it looks which topics there are when it is done.
            if isLoaded { forget(topics, unless: nil, &effects) }
        case .topicReplaced(let topic, let id):
            if isLoaded { forget([topic], unless: id, &effects) }
        case .tick: tick(now, &effects)
        }
    }

    private mutating func handle(
        _ request: GroupRequest, _ client: GroupClient, _ token: RequestToken, _ now: Moment,
        _ effects: inout [GroupEffect]
    ) {
        switch request {
        case .join(let body, let version): join(body, version, client, token, now, &effects)
        case .sync(let body): sync(body, token, now, &effects)
        case .heartbeat(let body):
            effects.append(.reply(token, .heartbeat(heartbeat(body, now))))
        case .leave(let body, let version): leave(body, version, token, now, &effects)
        case .commit(let body): commit(body, token, now, &effects)
        case .deleteOffsets(let body): deleteOffsets(body, token, now, &effects)
        case .delete(let group): delete(group, token, now, &effects)
        case .list(let body): effects.append(.reply(token, .list(list(body))))
        case .fetchOffsets(let group, let topics):
            if isReadable(group, request, client, token) {
                effects.append(.reply(token, .offsets(offsets.fetch(group, topics))))
            }
        case .describe(let group, let version):
            if isReadable(group, request, client, token) {
                effects.append(.reply(token, .described(describe(group, version))))
            }
        }
    }

    /// Whether the group's last change is committed; if not, the read waits for that.
    private mutating func isReadable(
        _ group: String, _ request: GroupRequest, _ client: GroupClient, _ token: RequestToken
    ) -> Bool {
        guard let change = lastChanges[group] else { return true }
        changes.wait(for: change, .read(request, client, token))
        return false
    }

    // MARK: The log

    /// Appends records of a group's change, which the caller has carried out already.
    /// - Returns: the change to wait for; the last, where the records are too many for one batch.
    mutating func append(
        _ records: [CoordinatorRecord], group: String, _ effects: inout [GroupEffect]
    ) -> ChangeToken {
        precondition(!records.isEmpty, "a change has records")
        var batch: [CoordinatorRecord] = []
        var bytes = 0
        for record in records {
            if !batch.isEmpty, bytes + record.bytesMax > settings.appendBytesMax {
                effects.append(.append(batch, changes.begin()))
                (batch, bytes) = ([], 0)
            }
            batch.append(record)
            bytes += record.bytesMax
        }
        let change = changes.begin()
        effects.append(.append(batch, change))
        lastChanges[group] = change
        return change
    }

    private mutating func replay(
        _ record: CoordinatorRecord, _ transaction: Int64?, _ now: Moment
    ) {
        guard !isLoaded else { return }
        if let transaction {
            return transactions[transaction, default: []].append(record)
        }
        switch GroupRecords.read(record) {
        case .offset(let group, let topic, let partition, let value):
            if groups[group] == nil, value != nil {
                groups[group] = Group(id: group, now: now.timestamp)
            }
            offsets.replay(
                group, CommittedOffsets.Place(topic: topic, partition: partition), value)
        case .group(let id, let value):
            groups[id] = value.map { Group(id: id, $0, now: now.timestamp) }
        case .other, nil: break  // another kind of group, or damaged: the log keeps it
        }
    }

    private mutating func loaded(_ now: Moment) {
        precondition(!isLoaded, "a log is loaded once")
        isLoaded = true
        transactions = [:]
        clock = WallClockGuard(now: now)
        for id in groups.keys.sorted() {
            for member in groups[id]?.order ?? [] { restartSession(id, member, now) }
        }
        timers.schedule(.expiry, at: now.instant + settings.offsetsRetentionCheckInterval)
    }

    private mutating func committed(
        _ change: ChangeToken, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        let waiting = changes.commit(change)
        lastChanges = lastChanges.filter { $0.value > change }
        for waiting in waiting {
            switch waiting {
            case .reply(let token, let response): effects.append(.reply(token, response))
            case .returned(let group, let member, let response):
                if let token = groups[group]?.takeJoin(of: member) {
                    effects.append(.reply(token, .join(response)))
                }
            case .read(let request, let client, let token):
                handle(request, client, token, now, &effects)
            case .assignment(let group, let generation):
                giveOutAssignment(group, generation, now, &effects)
            }
        }
    }

    private mutating func lose(_ code: ErrorCode, _ effects: inout [GroupEffect]) {
        hasLostState = true
        for waiting in changes.drain() {
            switch waiting {
            case .reply(let token, _), .read(_, _, let token):
                effects.append(.reply(token, .failed(code)))
            case .assignment, .returned: break  // the members are answered below
            }
        }
        for id in groups.keys.sorted() {
            for member in groups[id]?.joined ?? [] {
                for token in [member.awaitingJoin, member.awaitingSync].compactMap({ $0 }) {
                    effects.append(.reply(token, .failed(code)))
                }
            }
        }
        groups = [:]
        lastChanges = [:]
        offsets = CommittedOffsets()
        timers = TimerQueue()
    }

    // MARK: Time

    private mutating func tick(_ now: Moment, _ effects: inout [GroupEffect]) {
        while let timer = timers.popDue(at: now.instant) {
            switch timer {
            case .session(let group, let member): sessionExpired(group, member, now, &effects)
            case .pendingMember(let group, let member):
                groups[group]?.pending[member] = nil
                completeJoinIfAllAreHere(group, now, &effects)
                removeIfUnused(group)
            case .joinPhase(let group):
                groups[group]?.joinTimer = nil
                joinPhaseEnded(group, now, &effects)
            case .syncPhase(let group):
                groups[group]?.syncTimer = nil
                syncPhaseEnded(group, now, &effects)
            case .expiry:
                expireOffsets(now, &effects)
                timers.schedule(.expiry, at: now.instant + settings.offsetsRetentionCheckInterval)
            }
        }
    }

    /// A member was heard of.
    mutating func restartSession(_ group: String, _ member: String, _ now: Moment) {
        guard let found = groups[group]?.members[member] else { return }
        if let session = found.session { timers.cancel(session) }
        let time =
            found.isNew ? Self.newMemberTimeout : .milliseconds(found.sessionTimeoutMs)
        groups[group]?.members[member]?.session = timers.schedule(
            .session(group: group, member: member), at: now.instant + time)
    }

    private mutating func sessionExpired(
        _ group: String, _ member: String, _ now: Moment, _ effects: inout [GroupEffect]
    ) {
        guard let found = groups[group]?.members[member] else { return }
        groups[group]?.members[member]?.session = nil
        // Who waits for an answer cannot send a heartbeat, but a new member has its limit.
        if !found.isNew, found.awaitingJoin != nil || found.awaitingSync != nil {
            return restartSession(group, member, now)
        }
        drop(member, of: group, .unknownMemberId, &effects)
        afterRemoval(group, now, &effects)
    }

    /// A group that was only asked for leaves nothing behind.
    mutating func removeIfUnused(_ id: String) {
        guard let group = groups[id], group.state == .empty, group.members.isEmpty,
            group.pending.isEmpty, group.generation == 0, group.protocolType == nil,
            !offsets.has(id)
        else { return }
        groups[id] = nil
    }
}

extension CoordinatorRecord {
    /// How many bytes it adds to a batch at most.
    var bytesMax: Int { key.count + (value?.count ?? 0) + 40 }
}
