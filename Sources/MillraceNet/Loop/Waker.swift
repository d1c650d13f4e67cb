internal import CMillrace
internal import Glibc
internal import Synchronization

/// Wakes an event loop from other threads: an eventfd that is written only while the loop sleeps,
/// since what costs is waking a sleeper (10–20 µs), not a message.
///
/// The loop says that it is about to sleep, then looks at its mailboxes once more; a sender fills
/// the mailbox, then looks whether the loop sleeps. With sequential consistency one of both sees
/// the other.
package final class Waker: Sendable {
    let descriptor: Int32
    private let sleeping = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)

    package init() throws(NetError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard descriptor >= 0 else { throw .system("eventfd", errno) }
    }

    deinit { close(descriptor) }

    /// Ends the loop's sleep, if it sleeps. Cheap (one atomic load) when it does not.
    package func wake() {
        guard sleeping.load(ordering: .sequentiallyConsistent) else { return }
        guard sleeping.exchange(false, ordering: .sequentiallyConsistent) else { return }
        var one: UInt64 = 1
        // It can only fail with EAGAIN at a counter of 2^64 − 2: the loop is woken then anyway.
        _ = write(descriptor, &one, 8)
    }

    /// Asks the loop's `run` to return after the turn it is in. Any thread.
    package func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        wake()
    }

    var isStopping: Bool { stopping.load(ordering: .sequentiallyConsistent) }

    func willSleep() { sleeping.store(true, ordering: .sequentiallyConsistent) }

    func didWake() { sleeping.store(false, ordering: .relaxed) }

    func drain() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }
}
