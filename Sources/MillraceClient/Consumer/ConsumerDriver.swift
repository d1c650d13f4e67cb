internal import MillraceBase
internal import MillraceClientCore
internal import MillraceNet

/// Runs a `ConsumerCore`, and a `GroupMember` if it subscribes, on a loop.
final class ConsumerDriver {
    private let router: Router
    private let settings: ConsumerSettings
    private var core: ConsumerCore
    private var member: GroupMember?
    private let inbox: Inbox
    private var coreTimer: LoopTimerID?
    private var memberTimer: LoopTimerID?
    private var lastTicket: UInt64 = 0
    private var isInTrouble = false
    private var commits: [UInt64: (ClientError?) -> Void] = [:]
    private var leaving: [() -> Void] = []

    init(
        _ router: Router, _ settings: ConsumerSettings, group: GroupSettings?, inbox: Inbox,
        seed: UInt64
    ) {
        self.router = router
        self.settings = settings
        self.inbox = inbox
        core = ConsumerCore(settings, seed: seed)
        member = group.map { GroupMember($0, seed: seed &+ 1) }
    }

    // MARK: commands

    func assign(_ starts: [NamedPartition: StartPosition]) {
        let dropped = inbox.assign(Set(starts.keys))
        step(.taken(bytes: dropped))
        step(.assigned(starts))
    }

    func subscribe(_ topics: [String]) { stepMember(.subscribed(topics)) }

    func seek(_ partition: NamedPartition, _ start: StartPosition) {
        step(.taken(bytes: inbox.forget(partition)))
        step(.sought(partition, start))
    }

    func taken(_ bytes: Int) { step(.taken(bytes: bytes)) }

    /// Ends a poll's wait when `timeout` is over.
    func limit(_ waiter: UInt64, _ timeout: Duration) {
        router.loop.schedule(at: router.loop.now + timeout) { [inbox] in inbox.wake(waiter) }
    }

    func commit(
        _ offsets: [NamedPartition: CommittedOffset], _ body: @escaping (ClientError?) -> Void
    ) {
        guard member != nil else { return body(.settings("a consumer without a group commits")) }
        lastTicket += 1
        commits[lastTicket] = { [inbox] error in
            if error == nil { inbox.committed(offsets.mapValues(\.offset)) }
            body(error)
        }
        stepMember(.commit(ticket: lastTicket, offsets))
    }

    func close(_ body: @escaping () -> Void) {
        assign([:])
        guard member != nil else {
            router.close()
            return body()
        }
        leaving.append(body)
        stepMember(.leave)
    }

    // MARK: machines

    private func step(_ event: ConsumerCore.Event) {
        var effects: [ConsumerCore.Effect] = []
        core.step(event, at: router.loop.now, into: &effects)
        for effect in effects { perform(effect) }
        if let coreTimer { router.loop.cancel(coreTimer) }
        coreTimer = schedule(core.deadline) { [unowned self] in step(.tick) }
    }

    private func perform(_ effect: ConsumerCore.Effect) {
        switch effect {
        case .send(let token, let target, let request):
            router.send(request, to: target) { [unowned self] result in
                switch result {
                case .success(let response):
                    if isInTrouble { inbox.note(nil) }
                    isInTrouble = false
                    step(.answered(token, response))
                case .failure(let error):
                    inbox.note(error)
                    isInTrouble = true
                    step(.failed(token, error))
                }
            }
        case .fetched(let records): inbox.add(records)
        case .stopped(_, let error): inbox.fail(error)
        case .reachedEnd(let partition, _): inbox.reachedEnd(partition)
        }
    }

    private func stepMember(_ event: GroupMember.Event) {
        var effects: [GroupMember.Effect] = []
        member?.step(event, at: router.loop.now, into: &effects)
        for effect in effects { perform(effect) }
        if let memberTimer { router.loop.cancel(memberTimer) }
        memberTimer = schedule(member?.deadline ?? .distantFuture) { [unowned self] in
            stepMember(.tick)
        }
    }

    private func perform(_ effect: GroupMember.Effect) {
        switch effect {
        case .send(let token, let target, let request):
            router.send(request, to: target) { [unowned self] result in
                switch result {
                case .success(let response): stepMember(.answered(token, response))
                case .failure(let error): stepMember(.failed(token, error))
                }
            }
        case .assigned(let committed, _): begin(committed)
        case .revoking:
            stepMember(
                .processed(inbox.processed.mapValues { CommittedOffset(offset: $0) }))
        case .revoked:
            assign([:])
            inbox.setMember(false)
        case .committed(let ticket, let error): commits.removeValue(forKey: ticket)?(error)
        case .located(let node, let host, let port): router.locate(node, host: host, port: port)
        case .stopped(let error): inbox.fail(error)
        case .left:
            router.close()
            let waiting = leaving
            leaving = []
            for body in waiting { body() }
        }
    }

    private func begin(_ committed: [NamedPartition: Offset?]) {
        var starts: [NamedPartition: StartPosition] = [:]
        for (partition, offset) in committed {
            if let offset {
                starts[partition] = .offset(offset)
            } else if let reset = settings.reset {
                starts[partition] = reset
            } else {
                inbox.fail(.settings("nothing is committed for \(partition), and no reset is set"))
            }
        }
        assign(starts)
        inbox.setMember(true)
    }

    private func schedule(_ deadline: Instant, _ body: @escaping () -> Void) -> LoopTimerID? {
        guard deadline < .distantFuture else { return nil }
        return router.loop.schedule(
            at: max(deadline, router.loop.now + .milliseconds(1)), body)
    }
}
