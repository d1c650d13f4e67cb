import Coordinators
import MillraceBase
import MillraceProtocol
import TestSupport
import Testing

/// Members that join, leave, commit, fall silent, ask twice, and a log that is slow or lost.
@Suite struct GroupWalkTests {
    /// A client as it sees itself.
    private struct Client {
        var id = ""
        var instance: String?
        var generation: Int32 = -1
        var version: Int16
        var join: RequestToken?
        var sync: RequestToken?
    }

    private struct Walk {
        var group: GroupHarness
        var random: SeededGenerator
        var clients: [Client] = []
        /// What leaders assigned, by generation and member.
        var assigned: [Int32: [String: [UInt8]]] = [:]
        /// Who was told to lead a generation.
        var leaders: [Int32: String] = [:]
        var commits: [RequestToken: Int64] = [:]
        var synced = 0
        var lost = 0
        let seed: Int

        mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }
    }

    @Test(arguments: 1...40) func walkKeepsTheGroupsPromises(seed: Int) throws {
        #expect(try walk(seed) > 0, "somebody was assigned something")
    }

    @Test(.enabled(if: Soak.minutes != nil, "make soak"))
    func soakWalks() async throws {
        try await Soak.rounds("walks of a group", share: 0.1, from: 1_000_000) { try walk($0) }
    }

    /// - Returns: how many members were told their assignment.
    @discardableResult
    private func walk(_ seed: Int) throws -> Int {
        var settings = GroupSettings.quick
        settings.initialRebalanceDelay = seed.isMultiple(of: 3) ? .seconds(1) : .zero
        var walk = Walk(
            group: GroupHarness(settings, seed: UInt64(seed)),
            random: SeededGenerator(seed: UInt64(seed) &* 7_919), seed: seed)
        for _ in 0..<400 {
            turn(&walk)
            absorb(&walk)
        }
        try settle(&walk)
        return walk.synced
    }

    private func turn(_ walk: inout Walk) {
        walk.group.commitsAtOnce = !walk.chance(4)
        switch Int.random(in: 0..<100, using: &walk.random) {
        case 0..<12 where walk.clients.count < 6:
            walk.clients.append(newClient(&walk))
        case 12..<60: act(&walk)
        case 60..<66: commit(&walk)
        case 66..<70: leave(&walk)
        case 70..<90:
            walk.group.pass(.milliseconds(Int.random(in: 1...4_000, using: &walk.random)))
        case 90..<96: walk.group.commitNext()
        case 96 where walk.chance(3):
            walk.group.loseLeadership()
            walk.lost += 1
            #expect(walk.group.unanswered.isEmpty, "all are told when leadership is lost")
            // What was assigned stays: a stable generation comes back from the log.
            walk.leaders = [:]
        default: break
        }
    }

    private func newClient(_ walk: inout Walk) -> Client {
        let instance = walk.chance(3) ? "i\(Int.random(in: 0..<3, using: &walk.random))" : nil
        let version: Int16 = walk.chance(4) ? (instance == nil ? 3 : 5) : 9
        return Client(instance: instance, version: version)
    }

    /// A client does what comes next, sometimes twice.
    private func act(_ walk: inout Walk) {
        guard let index = walk.clients.indices.randomElement(using: &walk.random) else { return }
        let client = walk.clients[index]
        if client.generation < 0 {
            guard client.join == nil || walk.chance(10) else { return }
            walk.clients[index].join = walk.group.join(
                client.id, instance: client.instance, version: client.version,
                protocols: walk.chance(2) ? [("range", [1]), ("rr", [2])] : [("rr", [2])],
                rebalance: 8_000)
        } else if client.sync == nil || walk.chance(10) {
            var assignments: [String: [UInt8]] = [:]
            if walk.leaders[client.generation] == client.id {
                for member in walk.group.describe()?.members ?? [] {
                    assignments[member.memberId] = [UInt8.random(in: 1...255, using: &walk.random)]
                }
                if walk.assigned[client.generation] == nil {
                    walk.assigned[client.generation] = assignments
                } else {
                    assignments = walk.assigned[client.generation] ?? [:]
                }
            }
            walk.clients[index].sync = walk.group.sync(
                client.id, client.generation, instance: client.instance, assignments)
        } else {
            let code = walk.group.heartbeat(
                client.id, client.generation, instance: client.instance)
            if code != ErrorCode.none { restart(&walk.clients[index], code ?? .none) }
        }
    }

    private func restart(_ client: inout Client, _ code: ErrorCode) {
        if code != .rebalanceInProgress { client.id = "" }
        (client.generation, client.join, client.sync) = (-1, nil, nil)
    }

    private func commit(_ walk: inout Walk) {
        guard let client = walk.clients.randomElement(using: &walk.random), client.generation > 0
        else { return }
        let offset = Int64.random(in: 0..<1_000, using: &walk.random)
        let token = walk.group.commit(
            offset, partition: Int32.random(in: 0..<4, using: &walk.random), member: client.id,
            generation: client.generation)
        walk.commits[token] = offset
    }

    private func leave(_ walk: inout Walk) {
        guard let index = walk.clients.indices.randomElement(using: &walk.random) else { return }
        let client = walk.clients.remove(at: index)
        if walk.chance(3) { return }  // it just dies
        walk.group.leave([(id: client.id, instance: client.instance)])
    }

    /// Clients read their answers.
    private func absorb(_ walk: inout Walk) {
        for index in walk.clients.indices {
            if let token = walk.clients[index].join, let reply = walk.group.replies[token] {
                walk.clients[index].join = nil
                absorb(reply, index, &walk)
            }
            if let token = walk.clients[index].sync, let reply = walk.group.replies[token] {
                absorb(reply, index, &walk)
            }
        }
    }

    private func absorb(_ reply: GroupResponse, _ index: Int, _ walk: inout Walk) {
        switch reply {
        case .join(let response):
            let code = ErrorCode(rawValue: response.errorCode)
            guard code == .none || code == .memberIdRequired else {
                return restart(&walk.clients[index], code)
            }
            walk.clients[index].id = response.memberId
            guard code == .none else { return }
            walk.clients[index].generation = response.generationId
            walk.clients[index].sync = nil
            if !response.members.isEmpty {
                #expect(response.leader == response.memberId, "only the leader is told all")
                #expect(response.members.contains { $0.memberId == response.memberId })
                if let other = walk.leaders[response.generationId], other != response.memberId {
                    #expect(
                        walk.clients[index].instance != nil,
                        "a generation has one leader, whose instance alone may return")
                }
                walk.leaders[response.generationId] = response.memberId
            }
        case .sync(let response):
            let code = ErrorCode(rawValue: response.errorCode)
            guard code == .none else { return restart(&walk.clients[index], code) }
            walk.synced += 1
            let client = walk.clients[index]
            guard let given = walk.assigned[client.generation], client.instance == nil else {
                return
            }
            #expect(
                response.assignment == given[client.id] ?? [],
                "seed \(walk.seed): a member gets what its leader gave it")
        case .failed(let code): restart(&walk.clients[index], code)
        default: Issue.record("an answer is of its request's kind")
        }
    }

    /// All die; nothing waits for ever, and the log says what the coordinator says.
    private func settle(_ walk: inout Walk) throws {
        walk.group.commitsAtOnce = true
        walk.group.commitAll()
        walk.group.pass(.seconds(400))
        #expect(walk.group.unanswered.isEmpty, "no answer is lost")
        let again = GroupHarness(walk.group.settings)
        again.now = walk.group.now
        again.machine = GroupHarness.loaded(
            from: walk.group.log, walk.group.settings, seed: 99, at: walk.group.now)
        #expect(walk.group.describe()?.groupState != "Stable")
        #expect(again.offsets() == walk.group.offsets())
        #expect(again.describe()?.members == walk.group.describe()?.members)
    }
}
