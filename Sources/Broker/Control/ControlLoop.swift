package import Metadata
package import MillraceBase
internal import MillraceProtocol
package import Raft

/// What the control loop is told.
package enum ControlEvent {
    case started
    /// From a shard.
    case message(ControlMessage)
    /// Something that the node of the quorum waits for is on disk.
    case raft(RaftEvent)
    /// The metadata log cannot be written: nothing more can be changed before a restart.
    case failed(String)
    /// Time has passed; a few times a second at most.
    case tick
}

/// What the control loop wants done, in this order.
package enum ControlEffect {
    case post(shard: Int, ShardMessage)
    /// As `RaftEffect`'s: to be answered by `.raft`.
    case saveState(QuorumState)
    case persist(bytes: [UInt8], end: Offset)
    case takeSnapshot(SnapshotID, ClusterImage, lastTimestamp: Timestamp)
    case releaseLog(before: Offset)
    /// Every shard has taken up metadata in which this broker leads: clients may come.
    case serve(brokerEpoch: Int64)
}

/// The metadata plane of a node: the quorum's node, the controller, and the published image, which
/// it sends to the shards. Decide → append → replay (staged) → persist → commit → replay
/// (published) → reply.
///
/// A pure machine, owned by the control thread. A change is told to nobody before it is durable:
/// answers wait in `waiting` until the log is committed to the end that they speak of, answers
/// that change nothing too, since they may tell of a change before them.
package struct ControlLoop {
    /// Something that waits for a commit.
    enum Completion {
        case reply(ReplyToken, Reply, failure: Reply)
        case producerIDs(shard: Int, Range<Int64>)
        case registered(epoch: Int64)
        case nothing
    }

    let identity: ControlIdentity
    var raft: RaftNode
    var controller: Controller
    /// All that was decided, committed or not.
    var staged: ClusterImage
    /// All that is committed.
    private(set) var published: ClusterImage
    private var delta = ClusterDelta()
    var random: any RandomNumberGenerator & Sendable
    let sink: LogSink
    let problemOfTLS: @Sendable (TLSSettings) -> String?
    var effects: [ControlEffect] = []
    private var waiting = Deque<(end: Offset, completion: Completion)>()
    /// How far each shard has taken up the metadata.
    private var applied: [Offset]
    /// Images that a shard may still hold: they are freed here, not on its loop.
    private var retired = Deque<ClusterImage>()
    private var hasPublished = false
    private var phase = Phase.starting
    var failure: String?

    /// How far the start has come.
    private enum Phase: Equatable {
        case starting
        /// The records that a new leader writes are on their way.
        case activating
        case registering
        /// Registered with this epoch, fenced until the registration is committed.
        case unfencing(Int64)
        /// Unfenced at this end of the log, once it is committed.
        case awaitingShards(epoch: Int64, end: Offset)
        case serving
    }

    /// Answers that may wait at one time; more requests are refused.
    static let waitingMax = 10_000

    /// - Parameters:
    ///   - image: what the snapshot holds that `raft` recovered from.
    ///   - sink: whose loggers' levels are settings of the broker.
    ///   - problemOfTLS: why certificates that are to be set cannot be used; nil if they can.
    package init(
        _ identity: ControlIdentity, raft: RaftNode, image: ClusterImage,
        random: some RandomNumberGenerator & Sendable, sink: LogSink,
        problemOfTLS: @escaping @Sendable (TLSSettings) -> String?
    ) {
        self.identity = identity
        self.raft = raft
        (staged, published) = (image, image)
        self.random = random
        (self.sink, self.problemOfTLS) = (sink, problemOfTLS)
        applied = Array(repeating: .none, count: identity.shardCount)
        controller = Controller(
            settings: identity.controllerSettings,
            rules: ConfigRules(view: BrokerConfigView(fixed: identity.settings.config)))
    }

    package mutating func step(
        _ event: ControlEvent, at now: Moment, into effects: inout [ControlEffect]
    ) {
        switch event {
        case .started: stepRaft(.started, at: now)
        case .raft(let event): stepRaft(event, at: now)
        case .message(let message):
            received(message, at: now)
            // What changes nothing is answered at once if nothing before it waits.
            if failure == nil { complete(at: now) }
        case .failed(let reason): fail(reason)
        case .tick: stepRaft(.tick, at: now)
        }
        swap(&effects, &self.effects)
        self.effects.removeAll(keepingCapacity: true)
    }

    // MARK: The quorum

    private mutating func stepRaft(_ event: RaftEvent, at now: Moment) {
        if failure != nil { return }
        var raftEffects: [RaftEffect] = []
        var ignored: [RaftEffect] = []
        raft.step(event, at: now, into: &raftEffects)
        for effect in raftEffects {
            switch effect {
            case .saveState(let state): effects.append(.saveState(state))
            case .persist(let bytes, let entry):
                effects.append(.persist(bytes: bytes, end: entry.end))
            case .committed(let entries): committed(entries)
            case .lead: lead(at: now)
            case .takeSnapshot(let id, let timestamp):
                precondition(published.end <= id.end, "a snapshot is taken when all is replayed")
                if published.isInTransaction {
                    // A predecessor left it open: no snapshot holds half of it.
                    raft.step(.snapshotFailed(id), at: now, into: &ignored)
                } else {
                    effects.append(.takeSnapshot(id, published, lastTimestamp: timestamp))
                }
            case .releaseLog(let offset): effects.append(.releaseLog(before: offset))
            }
        }
        advance(at: now)
    }

    /// Replays what is committed into the published image, and tells the shards.
    private mutating func committed(_ entries: [RaftEntry]) {
        for entry in entries {
            for record in entry.records {
                do throws(MetadataError) {
                    let decoded = try MetadataRecord(record.value)
                    try published.apply(decoded, at: record.offset, into: &delta)
                } catch {
                    fail(
                        "the metadata log cannot be replayed at \(record.offset.rawValue): \(error)"
                    )
                    return
                }
            }
        }
        if !raft.isLeader { staged = published }
    }

    private mutating func lead(at now: Moment) {
        staged = published
        phase = .activating
    }

    /// Takes the next step of the start, publishes, and gives what has become due.
    private mutating func advance(at now: Moment) {
        guard failure == nil else { return }
        if raft.isLeader, waiting.isEmpty { continueStart(at: now) }
        publish()
        complete(at: now)
    }

    private mutating func continueStart(at now: Moment) {
        switch phase {
        case .activating:
            let records = controller.activationRecords(
                bootstrap: identity.bootstrap, image: staged)
            if !records.isEmpty {
                append(records, then: .nothing, at: now)
            } else {
                phase = .registering
                continueStart(at: now)
            }
        case .registering: register(at: now)
        case .unfencing(let epoch): unfence(epoch, at: now)
        case .starting, .awaitingShards, .serving: break
        }
    }

    private mutating func register(at now: Moment) {
        let decision = decide(.registerBroker(registration()), at: now)
        guard case .registerBroker(let response) = decision.reply, response.errorCode == 0 else {
            return fail("this node cannot register as a broker")
        }
        phase = .unfencing(response.brokerEpoch)
        append(decision.records, then: .registered(epoch: response.brokerEpoch), at: now)
    }

    private mutating func unfence(_ epoch: Int64, at now: Moment) {
        let decision = decide(.heartbeat(heartbeat(epoch)), at: now)
        append(decision.records, then: .nothing, at: now)
        phase = .awaitingShards(epoch: epoch, end: raft.end)
    }

    /// Asks the controller; nothing is changed yet.
    func decision(
        _ request: Metadata.ControlRequest, at now: Moment,
        using random: inout some RandomNumberGenerator
    ) -> Decision {
        controller.decide(
            request,
            in: DecisionContext(image: staged, nextOffset: raft.end, now: now), using: &random)
    }

    mutating func decide(_ request: Metadata.ControlRequest, at now: Moment) -> Decision {
        var generator = SeededGenerator(seed: random.next())
        return decision(request, at: now, using: &generator)
    }

    /// Appends records as one batch and replays them into the staged image.
    mutating func append(
        _ records: [MetadataRecord], then completion: Completion, at now: Moment
    ) {
        guard !records.isEmpty else {
            waiting.append((raft.end, completion))
            return
        }
        let start = raft.end
        var values: [[UInt8]] = []
        var next = staged
        var ignored = ClusterDelta()
        do throws(MetadataError) {
            for (index, record) in records.enumerated() {
                values.append(try record.bytes())
                try next.apply(record, at: start + Int64(index), into: &ignored)
            }
        } catch {
            preconditionFailure("the controller decides what can be replayed: \(error)")
        }
        staged = next
        waiting.append((start + Int64(records.count), completion))
        var raftEffects: [RaftEffect] = []
        raft.step(.appended(values), at: now, into: &raftEffects)
        for case .persist(let bytes, let entry) in raftEffects {
            effects.append(.persist(bytes: bytes, end: entry.end))
        }
    }

    // MARK: Shards

    /// Posts what was committed since the last time to every shard.
    private mutating func publish() {
        guard raft.isLeader, !published.isInTransaction else { return }
        guard !delta.isEmpty || !hasPublished else { return }
        let whole = !hasPublished
        let changes = whole ? ClusterDelta(whole: published) : delta
        delta = ClusterDelta()
        hasPublished = true
        let update = MetadataUpdate(
            image: published, delta: changes, identity: identity)
        if update.brokerConfigChanged || whole {
            controller.rules = ConfigRules(view: update.view.config)
        }
        for shard in 0..<identity.shardCount {
            effects.append(.post(shard: shard, .metadata(update)))
        }
        retired.append(published)
    }

    /// Gives the answers of what is committed.
    private mutating func complete(at now: Moment) {
        while let first = waiting.first, first.end <= raft.committedEnd {
            _ = waiting.popFirst()
            switch first.completion {
            case .reply(let token, let reply, _):
                effects.append(.post(shard: token.shard, .reply(token, reply)))
            case .producerIDs(let shard, let block):
                effects.append(.post(shard: shard, .producerIDs(block)))
            case .registered, .nothing: break
            }
        }
        if raft.isLeader, waiting.isEmpty, phase != .serving {
            // Each step of the start waits for the commit of the one before.
            switch phase {
            case .activating, .registering, .unfencing:
                continueStart(at: now)
            case .starting, .awaitingShards, .serving: break
            }
        }
        serveIfReady()
    }

    mutating func shardApplied(_ shard: Int, through end: Offset) {
        guard applied.indices.contains(shard) else { return }
        applied[shard] = max(applied[shard], end)
        let least = applied.min() ?? .none
        while let oldest = retired.first, retired.count > 1, oldest.end < least {
            _ = retired.popFirst()
        }
        serveIfReady()
    }

    private mutating func serveIfReady() {
        guard case .awaitingShards(let epoch, let end) = phase, raft.committedEnd >= end,
            let least = applied.min(), least >= end
        else { return }
        phase = .serving
        effects.append(.serve(brokerEpoch: epoch))
    }

    /// Nothing more can be changed: all that waits is told so.
    mutating func fail(_ reason: String) {
        guard failure == nil else { return }
        failure = reason
        while let first = waiting.popFirst() {
            switch first.completion {
            case .reply(let token, _, let failure):
                effects.append(.post(shard: token.shard, .reply(token, failure)))
            case .producerIDs(let shard, _):
                effects.append(.post(shard: shard, .producerIDs(0..<0)))
            case .registered, .nothing: break
            }
        }
    }

    /// The epoch of this broker's registration, once there is one.
    var brokerEpoch: Int64 {
        staged.brokers[identity.settings.nodeID]?.epoch ?? -1
    }

    var waitingCount: Int { waiting.count }
}
