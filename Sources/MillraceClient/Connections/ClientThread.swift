internal import MillraceBase
internal import MillraceClientCore
internal import MillraceNet
internal import Synchronization

/// A thread with an event loop and a driver that lives on it. Other threads give it work; the
/// driver itself is never seen outside.
final class ClientThread<Driver: AnyObject>: Sendable {
    typealias Work = @Sendable (Driver) -> Void

    private let waker: Waker
    private let work: Mailbox<Work>

    private init(waker: Waker, work: Mailbox<Work>) {
        self.waker = waker
        self.work = work
    }

    deinit { waker.stop() }

    /// Starts a thread; returns when its loop stands.
    /// - Parameter make: makes the driver, on the thread.
    static func start(
        name: String, _ make: @escaping @Sendable (EventLoop) throws(ClientError) -> Driver
    ) async throws(ClientError) -> ClientThread {
        let result = await withCheckedContinuation {
            (started: CheckedContinuation<Result<ClientThread, ClientError>, Never>) in
            do throws(NetError) {
                let waker = try Waker()
                let work = Mailbox<Work>(waker: waker)
                try WorkerThread.detached(name: name) {
                    do {
                        let loop = try EventLoop(waker: waker)
                        let driver = try make(loop)
                        // The driver owns the loop, not the other way round.
                        loop.attach(work) { [unowned driver] in for body in $0 { body(driver) } }
                        started.resume(
                            returning: .success(ClientThread(waker: waker, work: work)))
                        withExtendedLifetime(driver) { loop.run() }
                    } catch let error as ClientError {
                        started.resume(returning: .failure(error))
                    } catch {
                        started.resume(returning: .failure(.settings("\(error)")))
                    }
                }
            } catch { started.resume(returning: .failure(.settings(error.description))) }
        }
        return try result.get()
    }

    /// Runs `body` on the thread, soon. Any thread.
    func post(_ body: @escaping Work) { work.post(body) }

    /// Ends the thread after the turn it is in.
    func stop() { waker.stop() }
}
