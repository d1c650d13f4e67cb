import MillraceBase
import Raft
import Testing

/// A node with its disk: what it asks for is done at once, or held back.
private struct Harness {
    var node: RaftNode
    var now = Moment(instant: Instant(nanoseconds: 0), timestamp: Timestamp(1_795_485_504_996))
    var disk: [(bytes: [UInt8], entry: RaftEntry)] = []
    var state: QuorumState?
    var committed: [RaftEntry] = []
    var led: [LeaderEpoch] = []
    var asked: [SnapshotID] = []
    var released: [Offset] = []
    /// Whether the disk keeps what it is given.
    var isStuck = false

    init(_ recovery: RaftRecovery = .init(), snapshotBytes: Int = 20 << 20) {
        var config = RaftConfig(nodeID: NodeID(1), directoryID: .zero, voters: [NodeID(1)])
        config.snapshotBytes = snapshotBytes
        node = RaftNode(config: config, recovery: recovery)
        state = recovery.state
    }

    mutating func give(_ event: RaftEvent) {
        var queue = [event]
        while !queue.isEmpty {
            var effects: [RaftEffect] = []
            node.step(queue.removeFirst(), at: now, into: &effects)
            for effect in effects { carryOut(effect, &queue) }
        }
    }

    private mutating func carryOut(_ effect: RaftEffect, _ queue: inout [RaftEvent]) {
        switch effect {
        case .saveState(let state):
            self.state = state
            queue.append(.stateSaved(state))
        case .persist(let bytes, let entry):
            disk.append((bytes, entry))
            if !isStuck { queue.append(.persisted(end: entry.end)) }
        case .committed(let entries): committed += entries
        case .lead(let epoch): led.append(epoch)
        case .takeSnapshot(let id, _): asked.append(id)
        case .releaseLog(let before): released.append(before)
        }
    }

    var log: [UInt8] { disk.flatMap(\.bytes) }
}

/// What a node finds that starts on these bytes.
private func recover(
    _ log: [UInt8], state: QuorumState?, snapshot: SnapshotID? = nil
) throws -> RaftRecovery {
    var reader = MetadataLogReader(from: snapshot?.end ?? .zero)
    _ = try log.withUnsafeBytes { try reader.read($0, isLast: true) }
    var recovery = RaftRecovery()
    (recovery.state, recovery.snapshot) = (state, snapshot)
    recovery.entries = try reader.finish()
    return recovery
}

@Suite struct RaftNodeTests {
    @Test func theSoleVoterElectsItselfAndLeadsOnceItsFirstEntryIsDurable() {
        var harness = Harness()
        harness.isStuck = true
        harness.give(.started)
        #expect(harness.state?.epoch == LeaderEpoch(1) && harness.state?.leader == NodeID(1))
        #expect(harness.led.isEmpty && !harness.node.isLeader)
        #expect(harness.disk.map(\.entry.isControl) == [true])
        harness.give(.persisted(end: Offset(1)))
        #expect(harness.led == [LeaderEpoch(1)] && harness.node.isLeader)
        #expect(harness.committed.map(\.end) == [Offset(1)])
    }

    @Test func nothingIsElectedBeforeTheStateIsSaved() {
        let config = RaftConfig(nodeID: NodeID(1), directoryID: .zero, voters: [NodeID(1)])
        var node = RaftNode(config: config, recovery: .init())
        let now = Moment(instant: .zero, timestamp: Timestamp(0))
        var effects: [RaftEffect] = []
        node.step(.started, at: now, into: &effects)
        let state = QuorumState(
            leader: NodeID(1), epoch: LeaderEpoch(1), voters: [NodeID(1)])
        #expect(effects == [.saveState(state)])
    }

    @Test func aNodeThatIsNotTheWholeQuorumDoesNotElectItself() {
        let config = RaftConfig(
            nodeID: NodeID(1), directoryID: .zero, voters: [NodeID(1), NodeID(2)])
        var node = RaftNode(config: config, recovery: .init())
        var effects: [RaftEffect] = []
        node.step(
            .started, at: Moment(instant: .zero, timestamp: Timestamp(0)), into: &effects)
        #expect(effects.isEmpty && !node.isLeader)
    }

    @Test func recordsAreCommittedInOrderOnceTheyAreDurable() {
        var harness = Harness()
        harness.give(.started)
        harness.isStuck = true
        harness.give(.appended([[1], [2]]))
        harness.give(.appended([[3]]))
        #expect(harness.node.end == Offset(4) && harness.node.committedEnd == Offset(1))
        #expect(harness.disk.last?.entry.baseOffset == Offset(3))
        harness.give(.persisted(end: Offset(3)))
        #expect(harness.node.committedEnd == Offset(3))
        harness.give(.persisted(end: Offset(4)))
        harness.give(.persisted(end: Offset(4)))
        #expect(
            harness.committed.flatMap(\.records) == [
                RaftRecord(offset: Offset(1), value: [1]),
                RaftRecord(offset: Offset(2), value: [2]),
                RaftRecord(offset: Offset(3), value: [3]),
            ])
    }

    @Test func oneSyncMayCoverSeveralBatches() {
        var harness = Harness()
        harness.give(.started)
        harness.isStuck = true
        for value in 0..<5 { harness.give(.appended([[UInt8(value)]])) }
        harness.committed = []
        harness.give(.persisted(end: Offset(6)))
        #expect(harness.committed.flatMap(\.values) == (0..<5).map { [$0] })
    }

    @Test func aRestartRaisesTheEpochAndCommitsWhatTheLogHeld() throws {
        var first = Harness()
        first.give(.started)
        first.give(.appended([[1], [2]]))
        var second = Harness(try recover(first.log, state: first.state))
        #expect(second.node.committedEnd == .zero, "nothing is known to be committed yet")
        second.give(.started)
        #expect(second.led == [LeaderEpoch(2)])
        #expect(second.committed.flatMap(\.values) == [[1], [2]])
        #expect(second.disk.first?.entry.baseOffset == Offset(3))
        second.give(.appended([[3]]))
        #expect(second.node.committedEnd == Offset(5))
        var third = Harness(try recover(first.log + second.log, state: second.state))
        third.give(.started)
        #expect(third.committed.flatMap(\.values) == [[1], [2], [3]])
        #expect(third.node.epoch == LeaderEpoch(3))
    }

    @Test func aLostStateFileDoesNotLowerTheEpoch() throws {
        var first = Harness()
        first.give(.started)
        var second = Harness(try recover(first.log, state: nil))
        second.give(.started)
        #expect(second.node.epoch == LeaderEpoch(2))
    }

    @Test func anyTornTailIsCutToWholeBatches() throws {
        var first = Harness()
        first.give(.started)
        first.give(.appended([[1], [2]]))
        first.give(.appended([[3]]))
        let ends = [0, 1, 2].map { index in
            first.disk.prefix(index + 1).reduce(0) { $0 + $1.bytes.count }
        }
        for length in 0...first.log.count {
            var reader = MetadataLogReader(from: .zero)
            let whole = try first.log.prefix(length).withUnsafeBytes {
                try reader.read($0, isLast: true)
            }
            #expect(whole == ends.last { $0 <= length } ?? 0)
        }
        var damaged = first.log
        damaged[ends[1] + 65] ^= 1
        var reader = MetadataLogReader(from: .zero)
        #expect(try damaged.withUnsafeBytes { try reader.read($0, isLast: true) } == ends[1])
        var strict = MetadataLogReader(from: .zero)
        #expect(throws: RaftError.self) {
            try damaged.withUnsafeBytes { try strict.read($0, isLast: false) }
        }
    }

    @Test func aGapInTheLogIsAnError() throws {
        var first = Harness()
        first.give(.started)
        for value in 0..<3 { first.give(.appended([[UInt8(value)]])) }
        let gapped = first.disk[0].bytes + first.disk[2].bytes
        var reader = MetadataLogReader(from: .zero)
        #expect(throws: RaftError.self) {
            try gapped.withUnsafeBytes { try reader.read($0, isLast: false) }
        }
        var late = MetadataLogReader(from: .zero)
        _ = try first.disk[2].bytes.withUnsafeBytes { try late.read($0, isLast: true) }
        #expect(throws: RaftError.gap(expected: .zero, found: Offset(2))) { try late.finish() }
    }

    @Test func snapshotsAreTakenByBytesAndTheLogBeforeTheOlderIsReleased() throws {
        var harness = Harness(snapshotBytes: 1000)
        harness.give(.started)
        for round in 1...3 {
            while harness.asked.count < round {
                harness.give(.appended([[UInt8](repeating: 7, count: 100)]))
            }
            let id = harness.asked[round - 1]
            #expect(id.end == harness.node.committedEnd && id.epoch == LeaderEpoch(1))
            harness.give(.snapshotSaved(id))
        }
        #expect(harness.released == harness.asked.dropLast().map(\.end))

        let snapshot = harness.asked[2]
        harness.give(.appended([[9]]))
        var again = Harness(
            try recover(harness.log, state: harness.state, snapshot: snapshot))
        again.give(.started)
        #expect(again.committed.flatMap(\.values) == [[9]], "the snapshot holds the rest")
    }

    @Test func anIdleNodeTakesNoSnapshotAndWritesNothing() {
        var harness = Harness()
        harness.give(.started)
        let written = harness.disk.count
        for hour in 1...48 {
            harness.now.instant = Instant(nanoseconds: Int64(hour) * 3_600_000_000_000)
            harness.give(.tick)
        }
        #expect(harness.asked.isEmpty && harness.disk.count == written)
        harness.give(.appended([[1]]))
        #expect(harness.asked.count == 1, "an hour has passed and there is something to keep")
    }

    @Test func aFailedSnapshotIsAskedForAgain() {
        var harness = Harness(snapshotBytes: 1)
        harness.give(.started)
        harness.give(.appended([[1]]))
        #expect(harness.asked.count == 1)
        harness.give(.appended([[2]]))
        #expect(harness.asked.count == 1, "one at a time")
        harness.give(.snapshotFailed(harness.asked[0]))
        harness.give(.tick)
        #expect(harness.asked.count == 2)
    }
}
