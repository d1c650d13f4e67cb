internal import CMillrace
internal import CMillraceTLS
internal import Glibc
package import MillraceBase

/// Sizes and times of an event loop.
package struct EventLoopSettings: Sendable {
    /// The receive buffer that the loop's connections share; at least 128 KiB.
    package var receiveBufferBytes = 256 * 1024
    /// What one connection may receive in a turn before the others have theirs.
    package var turnBytesMax = 1024 * 1024
    /// How many frames of one connection are handed over before the others have their turn: small
    /// ones cost their handler far more than their bytes say.
    package var turnFramesMax = 128
    package init() {}
}

/// A timer of a loop, to cancel it by.
package struct LoopTimerID: Hashable, Sendable {
    var rawValue: UInt64
}

/// One thread's epoll loop (edge-triggered) with its connections, listeners, timers and mailboxes.
/// Made and used on the thread that calls `run`; from other threads only mailboxes and the waker
/// are touched.
///
/// A turn: events of sockets, mailboxes, timers, the delegate's `turnEnded`, then everything that
/// was queued is written and what was closed is told.
package final class EventLoop {
    /// When this turn began. Read once a turn.
    package private(set) var now: Instant
    private var timestamp: Timestamp
    package weak var delegate: (any EventLoopDelegate)?

    let settings: EventLoopSettings
    let log: Log
    let waker: Waker
    let epoll: Int32
    let connections = ConnectionTable()
    private(set) lazy var acceptors = AcceptorList(self)
    private(set) lazy var connector = Connector(self)

    /// Connections with output of this turn.
    var dirty: [Connection] = []
    /// Connections that have sent their share of this turn.
    private var postponed: [Connection] = []
    /// Connections that may go on reading in the next turn.
    private var ready: [Connection] = []
    private var finished: [Connection] = []
    private var starved: [Connection] = []
    private var starvedTimer: LoopTimerID?
    private var starvedTurn = 0

    private var timers = TimerHeap()
    private var ports: [MailboxPort] = []
    private let events: UnsafeMutableBufferPointer<epoll_event>
    private var sweepTimer: LoopTimerID?
    private var sweepInterval: Duration = .seconds(1)

    let receiveBuffer: UnsafeMutableRawBufferPointer
    let vectors: UnsafeMutableBufferPointer<iovec>
    private var pool = BufferPool()
    /// What TLS needs; made with the first TLS connection.
    private var tlsBuffers: TLSBuffers?

    package init(
        waker: Waker, settings: EventLoopSettings = EventLoopSettings(), log: Log = .disabled
    ) throws(NetError) {
        millrace_ignore_sigpipe()
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw .system("epoll_create1", errno) }
        self.waker = waker
        self.settings = settings
        self.log = log
        now = Self.monotonicNow()
        timestamp = Self.wallClockNow()
        events = .allocate(capacity: 256)
        vectors = .allocate(capacity: Connection.vectorsMax)
        receiveBuffer = .allocate(
            byteCount: max(settings.receiveBufferBytes, 128 * 1024), alignment: 64)
        // Edge-triggered and never read: each write to the eventfd is a new edge.
        watch(waker.descriptor, EPOLLIN.rawValue | EPOLLET.rawValue, token: Token.waker)
    }

    deinit {
        close(epoll)
        events.deallocate()
        vectors.deallocate()
        receiveBuffer.deallocate()
    }

    /// Tokens of epoll that are no connection's.
    enum Token {
        static let waker = UInt64.max
        static let acceptorBase: UInt64 = 0xFFFF_FFFF_0000_0000
    }

    /// Both clocks as of the beginning of this turn.
    package var moment: Moment { Moment(instant: now, timestamp: timestamp) }

    private static func wallClockNow() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    static func monotonicNow() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(
            nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    // MARK: what others give to the loop

    /// Takes messages from a mailbox on every turn. The array is valid for the call.
    package func attach<Message>(
        _ mailbox: Mailbox<Message>, _ receive: @escaping ([Message]) -> Void
    ) {
        ports.append(TypedPort(mailbox, receive))
    }

    /// Calls `body` once at `deadline`, or soon after (epoll counts in milliseconds).
    @discardableResult
    package func schedule(at deadline: Instant, _ body: @escaping () -> Void) -> LoopTimerID {
        timers.add(deadline, body)
    }

    /// Forgets a timer; one that has fired already is no error.
    package func cancel(_ timer: LoopTimerID) { timers.cancel(timer) }

    /// Accepts from a listening socket, which several loops may share.
    package func listen(
        on socket: ListeningSocket, settings: ConnectionSettings, handler: any ConnectionHandler
    ) throws(NetError) {
        if settings.tls != nil { prepareTLS() }
        try acceptors.add(socket, settings, handler)
        sweep(within: settings)
    }

    /// Accepts no more on any listener; connections stay.
    package func stopListening() { acceptors.removeAll() }

    /// Begins a connection. `handler.opened` or `handler.closed` tells how it went, in a later
    /// turn. A name is resolved on a helper thread; its addresses are tried in their order.
    /// - Parameters:
    ///   - host: an address or a name; with TLS also the name that the certificate must bear.
    ///   - timeout: for look-up, connecting and handshake together.
    package func connect(
        toHost host: String, port: UInt16, settings: ConnectionSettings,
        timeout: Duration, handler: any ConnectionHandler
    ) -> ConnectionID {
        if settings.tls != nil { prepareTLS() }
        var settings = settings
        settings.handshakeTimeout = timeout
        sweep(within: settings)
        return connector.connect(host, port, settings, handler)
    }

    /// The connection of this id, if it is still open.
    package func connection(_ id: ConnectionID) -> Connection? { connections[id] }

    /// Open connections, those in handshake too.
    package var connectionCount: Int { connections.count }

    /// Calls `body` with every open connection.
    package func forEachConnection(_ body: (Connection) -> Void) {
        for connection in connections.all() { body(connection) }
    }

    // MARK: turns

    /// Turns until the waker is stopped, then closes all connections.
    package func run() {
        while !waker.isStopping { turn() }
        stop()
    }

    /// One turn; sleeps before it if there is nothing to do.
    package func turn() {
        let count = waitForEvents()
        now = Self.monotonicNow()
        timestamp = Self.wallClockNow()
        for index in 0..<count { handle(events[index]) }
        continueReady()
        for port in ports { port.drain() }
        while let body = timers.popDue(at: now) { body() }
        delegate?.turnEnded(self)
        writeAll()
    }

    private func waitForEvents() -> Int {
        var timeout: Int32 = 0
        if ready.isEmpty, dirty.isEmpty, postponed.isEmpty, finished.isEmpty {
            timeout = milliseconds(until: timers.nextDeadline())
        }
        if timeout != 0 {
            waker.willSleep()
            if waker.isStopping || ports.contains(where: \.isFilled) { timeout = 0 }
        }
        let count = epoll_wait(epoll, events.baseAddress, Int32(events.count), timeout)
        waker.didWake()
        return max(0, Int(count))
    }

    /// −1 for ever; else rounded up, so that a timer is not found early again and again.
    private func milliseconds(until deadline: Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let left = deadline.nanoseconds.subtractingReportingOverflow(
            Self.monotonicNow().nanoseconds
        )
        guard !left.overflow else { return .max }
        return left.partialValue <= 0
            ? 0 : Int32(clamping: (left.partialValue - 1) / 1_000_000 + 1)
    }

    private func handle(_ event: epoll_event) {
        let token = event.data.u64
        guard token != Token.waker else { return }
        guard token < Token.acceptorBase else {
            return acceptors.accept(Int(token - Token.acceptorBase))
        }
        guard let connection = connections[ConnectionID(token: token)] else { return }
        connection.handle(event.events)
    }

    private func continueReady() {
        guard !ready.isEmpty else { return }
        let now = ready
        ready.removeAll(keepingCapacity: false)
        for connection in now {
            connection.isInReady = false
            connection.goOn()
        }
    }

    private func writeAll() {
        let earlier = postponed
        postponed = []
        for connection in earlier { connection.flush() }
        var rounds = 0
        // A handler that is told of a close may send on another connection: a few rounds, the rest
        // in the next turn.
        while rounds < 8, !dirty.isEmpty || !finished.isEmpty {
            rounds += 1
            let written = dirty
            dirty.removeAll(keepingCapacity: true)
            for connection in written {
                connection.isInDirty = false
                connection.flush()
            }
            let closed = finished
            finished.removeAll()
            for connection in closed { remove(connection) }
            if written.isEmpty, closed.isEmpty { break }
        }
    }

    private func stop() {
        acceptors.removeAll()
        acceptors.dropArrivals()
        for connection in connections.all() { connection.close(because: .stopped) }
        // What a handler opens while it is told of the end is closed as well.
        for _ in 0..<8 where !finished.isEmpty || connections.count > 0 {
            for connection in connections.all() { connection.close(because: .stopped) }
            let closed = finished
            finished.removeAll()
            for connection in closed { remove(connection) }
        }
        dirty = []
        postponed = []
        ready = []
        ports = []
    }
}

// MARK: connections

extension EventLoop {
    /// Registers a descriptor for edge-triggered events in both directions.
    func watch(_ connection: Connection) {
        watch(
            connection.descriptor,
            EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue,
            token: connection.id.token)
    }

    @discardableResult
    func watch(_ descriptor: Int32, _ mask: UInt32, token: UInt64) -> Int32 {
        var event = epoll_event()
        event.events = mask
        event.data.u64 = token
        return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno
    }

    func unwatch(_ descriptor: Int32) {
        var event = epoll_event()
        epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event)
    }

    func markReady(_ connection: Connection) {
        guard !connection.isInReady else { return }
        connection.isInReady = true
        ready.append(connection)
    }

    func flushNextTurn(_ connection: Connection) {
        postponed.append(connection)
    }

    /// Closes at the end of this turn.
    func finish(_ connection: Connection) {
        precondition(connection.state != .closed, "a connection closes once")
        connection.state = .closed
        finished.append(connection)
    }

    private func remove(_ connection: Connection) {
        let settings = connection.profile.settings
        let reason = connection.pendingReason ?? .stopped
        if connection.descriptor >= 0 {
            connection.sayGoodbye()
            close(connection.descriptor)
            connection.descriptor = -1
        }
        connection.attempt = nil
        if let buffer = connection.stash.take() { give(buffer, connection) }
        connection.output.removeAll()
        connection.sealed = []
        connection.sealedHead = 0
        connection.session = nil
        connections.remove(connection)
        acceptors.connectionEnded(connection)
        if case .handshakeFailed(let failure) = reason {
            settings.counters?.handshakesFailed.add(1)
            log.warn("\(failure)", code: "net.handshake", ["listener": .text(connection.listener)])
        }
        if case .frameSize(let size) = reason {
            log.warn(
                "a frame of a size that is not allowed: connection closed", code: "net.frame",
                ["peer": .text("\(connection.peer)"), "size": .integer(Int64(size))])
        }
        connection.handler.closed(connection, reason: reason)
        connection.userData = nil
    }

    // MARK: memory

    func take(_ capacity: Int, _ connection: Connection) -> UnsafeMutableRawBufferPointer {
        connection.profile.settings.budget?.forceReserve(capacity)
        return pool.take(capacity)
    }

    func give(_ buffer: UnsafeMutableRawBufferPointer, _ connection: Connection) {
        connection.profile.settings.budget?.release(buffer.count)
        pool.give(buffer)
    }

    /// Lets a connection wait for memory: it tries again every 10 ms, for a while.
    func starve(_ connection: Connection) {
        if connection.profile.settings.budget?.willEase == true {
            connection.starvedSince = nil
        } else if connection.starvedSince == nil {
            connection.starvedSince = now
        } else if let since = connection.starvedSince,
            now - since > connection.profile.settings.starvedMax
        {
            return connection.close(because: .memoryExhausted)
        }
        guard !connection.isStarved else { return }
        connection.isStarved = true
        starved.append(connection)
        guard starvedTimer == nil else { return }
        starvedTimer = schedule(at: now + .milliseconds(10)) { [unowned self] in
            starvedTimer = nil
            // Another begins each time: who comes first takes what has become free.
            starvedTurn += 1
            let (waiting, first) = (starved, starvedTurn % starved.count)
            starved = []
            for connection in waiting[first...] + waiting[..<first] {
                connection.isStarved = false
                markReady(connection)
            }
        }
    }

    func countReceived(_ count: Int, _ connection: Connection) {
        connection.profile.settings.counters?.bytesReceived.add(count)
    }

    func countSent(_ count: Int, _ connection: Connection) {
        connection.profile.settings.counters?.bytesSent.add(count)
    }

    // MARK: TLS

    func prepareTLS() { if tlsBuffers == nil { tlsBuffers = TLSBuffers() } }

    var tls: TLSBuffers {
        if let tlsBuffers { return tlsBuffers }
        let made = TLSBuffers()
        tlsBuffers = made
        return made
    }

    var io: UnsafeMutablePointer<millrace_tls_io> { tls.io }
    var sealedIn: UnsafeMutableRawBufferPointer { tls.sealedIn }
    var scratch: UnsafeMutableRawBufferPointer { tls.scratch }

    // MARK: time

    /// Looks at all connections often enough for the shortest of the time limits.
    private func sweep(within settings: ConnectionSettings) {
        let shortest = min(settings.idleMax ?? .seconds(4), settings.handshakeTimeout)
        let interval = max(.milliseconds(5), min(.seconds(1), shortest / 4))
        if sweepTimer != nil, interval >= sweepInterval { return }
        if let sweepTimer { cancel(sweepTimer) }
        sweepInterval = sweepTimer == nil ? interval : min(interval, sweepInterval)
        scheduleSweep()
    }

    private func scheduleSweep() {
        sweepTimer = schedule(at: now + sweepInterval) { [unowned self] in
            for connection in connections.all() { connection.checkTime(at: now) }
            acceptors.lookAtCertificates()
            if connections.count == 0, acceptors.isEmpty {
                sweepTimer = nil
            } else {
                scheduleSweep()
            }
        }
    }
}

/// The buffers that a loop's TLS connections share.
final class TLSBuffers {
    let io: UnsafeMutablePointer<millrace_tls_io>
    /// Ciphertext from the socket; at most half of the shared receive buffer.
    let sealedIn = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 64)
    /// Ciphertext to the socket: a full scratch buffer as records, and what TLS itself says.
    let sealedOut = UnsafeMutableRawBufferPointer.allocate(byteCount: 80 * 1024, alignment: 64)
    /// Plaintext to be sent.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 64)

    init() {
        io = .allocate(capacity: 1)
        io.initialize(to: millrace_tls_io())
        io.pointee.out = sealedOut.baseAddress?.assumingMemoryBound(to: UInt8.self)
        io.pointee.out_capacity = sealedOut.count
    }

    /// So many bytes of ciphertext have come from the socket.
    func received(_ count: Int) {
        io.pointee.in = UnsafePointer(sealedIn.baseAddress?.assumingMemoryBound(to: UInt8.self))
        io.pointee.in_length = count
    }

    deinit {
        io.deallocate()
        sealedIn.deallocate()
        sealedOut.deallocate()
        scratch.deallocate()
    }
}

/// A mailbox whose type is forgotten.
class MailboxPort {
    var isFilled: Bool { false }
    func drain() {}
}

/// A mailbox and who takes its messages; two arrays go back and forth.
final class TypedPort<Message: Sendable>: MailboxPort {
    private let mailbox: Mailbox<Message>
    private let receive: ([Message]) -> Void
    private var taken: [Message] = []

    init(_ mailbox: Mailbox<Message>, _ receive: @escaping ([Message]) -> Void) {
        self.mailbox = mailbox
        self.receive = receive
    }

    override var isFilled: Bool { mailbox.isFilled }

    override func drain() {
        guard mailbox.isFilled else { return }
        var messages: [Message] = []
        swap(&messages, &taken)
        mailbox.take(into: &messages)
        receive(messages)
        messages.removeAll(keepingCapacity: true)
        swap(&messages, &taken)
    }
}
