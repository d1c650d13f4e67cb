import Dispatch
import MillraceBase
import MillraceNet
import Synchronization
import Testing

/// What a test waits for: events from other threads, in order, with a bound on the wait.
final class Events<Event: Sendable>: Sendable {
    private let queue = Mutex<[Event]>([])
    private let ready = DispatchSemaphore(value: 0)
    private let posted = Atomic<Int>(0)

    struct TimedOut: Error {}

    func post(_ event: Event) {
        posted.wrappingAdd(1, ordering: .relaxed)
        queue.withLock { $0.append(event) }
        ready.signal()
    }

    func next(within seconds: Double = 20) throws -> Event {
        guard ready.wait(timeout: .now() + seconds) == .success else { throw TimedOut() }
        return queue.withLock { $0.removeFirst() }
    }

    /// Whether one event was posted so far, and not another.
    var isFirst: Bool { posted.load(ordering: .relaxed) == 1 }

    var count: Int { queue.withLock { $0.count } }
}

/// An event loop on a thread of its own.
final class RunningLoop: Sendable {
    typealias Work = @Sendable (EventLoop) -> Void

    private let waker: Waker
    private let work: Mailbox<Work>
    private let thread: Mutex<WorkerThread?>

    init(settings: EventLoopSettings = EventLoopSettings(), log: Log = .disabled) throws {
        let waker = try Waker()
        let work = Mailbox<Work>(waker: waker)
        self.waker = waker
        self.work = work
        thread = Mutex(
            try WorkerThread(name: "test-loop") {
                do {
                    let loop = try EventLoop(waker: waker, settings: settings, log: log)
                    loop.attach(work) { for body in $0 { body(loop) } }
                    loop.run()
                } catch { Issue.record("the loop cannot be made: \(error)") }
            })
    }

    deinit { stop() }

    /// Runs `body` on the loop's thread, without waiting.
    func post(_ body: @escaping Work) { work.post(body) }

    /// Runs `body` on the loop's thread and waits for its result.
    func sync<Value: Sendable>(_ body: @escaping @Sendable (EventLoop) -> Value) throws -> Value {
        let result = Events<Value>()
        work.post { result.post(body($0)) }
        return try result.next()
    }

    func listen(
        on socket: ListeningSocket, _ settings: ConnectionSettings = ConnectionSettings(),
        _ handler: @escaping @Sendable () -> any ConnectionHandler
    ) throws {
        let failure = try sync { loop -> NetError? in
            do throws(NetError) {
                try loop.listen(on: socket, settings: settings, handler: handler())
                return nil
            } catch { return error }
        }
        if let failure { throw failure }
    }

    func stop() {
        let running = thread.withLock { thread in
            let running = thread
            thread = nil
            return running
        }
        guard let running else { return }
        waker.stop()
        running.join()
    }
}

/// A handler made of closures.
final class TestHandler: ConnectionHandler {
    var onOpened: (Connection) -> Void = { _ in }
    var onFrame: (UnsafeMutableRawBufferPointer, Connection) -> Void = { _, _ in }
    var onClosed: (Connection, CloseReason) -> Void = { _, _ in }

    func opened(_ connection: Connection) { onOpened(connection) }
    func received(_ frame: UnsafeMutableRawBufferPointer, on connection: Connection) {
        onFrame(frame, connection)
    }
    func closed(_ connection: Connection, reason: CloseReason) { onClosed(connection, reason) }

    /// Sends each frame back.
    static func echo(_ closed: Events<CloseReason>? = nil) -> TestHandler {
        let handler = TestHandler()
        handler.onFrame = { frame, connection in
            connection.send(framed(Array(frame)))
        }
        handler.onClosed = { closed?.post($1) }
        return handler
    }
}

/// Bytes with their size in front.
func framed(_ bytes: [UInt8]) -> [UInt8] {
    let size = UInt32(bytes.count)
    return [UInt8(size >> 24), UInt8(size >> 16 & 255), UInt8(size >> 8 & 255), UInt8(size & 255)]
        + bytes
}

/// Bytes that differ enough to notice a misplaced one.
func pattern(_ count: Int, seed: Int = 1) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31 &+ seed) ^ ($0 >> 8)) }
}

/// Log lines as a test reads them.
func capturingLog() -> (log: Log, lines: Events<String>) {
    let lines = Events<String>()
    let sink = LogSink(level: .info) { lines.post(String(decoding: $0, as: UTF8.self)) }
    return (sink.logger("net"), lines)
}
