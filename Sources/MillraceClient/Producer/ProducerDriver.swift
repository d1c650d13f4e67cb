internal import MillraceBase
internal import MillraceClientCore
internal import MillraceNet

/// Runs a `ProducerCore` on a loop: carries its requests and tells what became of records.
final class ProducerDriver {
    private let router: Router
    private var core: ProducerCore
    private let room: SendBuffer
    private let observe: ((Delivery) -> Void)?
    private var timer: LoopTimerID?
    private var idle: [() -> Void] = []
    private var effects: [ProducerCore.Effect] = []
    private var isClosed = false

    init(
        _ router: Router, _ settings: ProducerSettings, room: SendBuffer,
        observe: ((Delivery) -> Void)?, seed: UInt64
    ) {
        self.router = router
        self.room = room
        self.observe = observe
        core = ProducerCore(settings, seed: seed)
    }

    func append(_ records: [ProducerRecord], tickets: [UInt64]) {
        guard !isClosed else {
            for (record, ticket) in zip(records, tickets) {
                room.deliver(
                    Delivery(
                        partition: NamedPartition(record.topic, -1), tickets: [ticket],
                        byteCount: record.byteCount, result: .failure(.closed)))
            }
            return
        }
        step(.appended(records, tickets: tickets, timestamp: router.loop.moment.timestamp))
    }

    /// Calls `body` when nothing waits any more.
    func flush(_ body: @escaping () -> Void) {
        step(.flush)
        if core.isIdle { body() } else { idle.append(body) }
    }

    func close() {
        isClosed = true
        router.close()
    }

    private func step(_ event: ProducerCore.Event) {
        var now: [ProducerCore.Effect] = []
        swap(&now, &effects)
        core.step(event, at: router.loop.now, into: &now)
        for effect in now { perform(effect) }
        now.removeAll(keepingCapacity: true)
        swap(&now, &effects)
        if core.isIdle, !idle.isEmpty {
            let waiting = idle
            idle = []
            for body in waiting { body() }
        }
        schedule()
    }

    private func perform(_ effect: ProducerCore.Effect) {
        switch effect {
        case .delivered(let delivery):
            observe?(delivery)
            room.deliver(delivery)
        case .send(let token, let target, let request):
            router.send(request, to: target) { [unowned self] result in
                switch result {
                case .success(let response): step(.answered(token, response))
                case .failure(let error): step(.failed(token, error))
                }
            }
        }
    }

    private func schedule() {
        if let timer { router.loop.cancel(timer) }
        timer = nil
        guard core.deadline < .distantFuture, !isClosed else { return }
        // What is due but blocked (no leader yet) is not looked at more often than this.
        let next = max(core.deadline, router.loop.now + .milliseconds(1))
        timer = router.loop.schedule(at: next) { [unowned self] in step(.tick) }
    }
}
