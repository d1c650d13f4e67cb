internal import MillraceNet
internal import Synchronization
internal import Glibc

/// A few threads for what blocks on the disk: fdatasync, deletion, checkpoints, and writes once the
/// disk is slow. Jobs of one lane run in order, on one thread.
final class DiskThreads: Sendable {
    typealias Job = @Sendable () -> Void

    /// One thread's queue: a lock, a condition, an array.
    private final class Lane: Sendable {
        private struct State {
            var jobs: [Job] = []
            var isStopping = false
        }

        private let state = Mutex(State())
        // A semaphore counts what the lock's owner added: no wake-up is lost.
        private let semaphore: Semaphore

        init() { semaphore = Semaphore() }

        func add(_ job: @escaping Job) {
            state.withLock { $0.jobs.append(job) }
            semaphore.signal()
        }

        func stop() {
            state.withLock { $0.isStopping = true }
            semaphore.signal()
        }

        /// Runs jobs until stopped and empty.
        func run() {
            while true {
                semaphore.wait()
                let (jobs, isStopping) = state.withLock { state in
                    defer { state.jobs = [] }
                    return (state.jobs, state.isStopping)
                }
                for job in jobs { job() }
                if jobs.isEmpty, isStopping { return }
            }
        }
    }

    private let lanes: [Lane]
    private let threads: [WorkerThread]

    /// - Parameter count: threads; at least one.
    init(count: Int) throws(NetError) {
        var lanes: [Lane] = []
        var threads: [WorkerThread] = []
        for index in 0..<max(1, count) {
            let lane = Lane()
            lanes.append(lane)
            threads.append(try WorkerThread(name: "disk-\(index)") { lane.run() })
        }
        (self.lanes, self.threads) = (lanes, threads)
    }

    /// Runs `job` on the thread of its lane, after the lane's earlier jobs.
    func submit(lane: Int, _ job: @escaping Job) {
        lanes[((lane % lanes.count) + lanes.count) % lanes.count].add(job)
    }

    /// Runs what was submitted, then ends the threads.
    func stop() {
        for lane in lanes { lane.stop() }
        for thread in threads { thread.join() }
    }
}

/// A counting semaphore of the system.
final class Semaphore: Sendable {
    private let storage: UnsafeStorage

    /// The system's structure at an address that does not move.
    private struct UnsafeStorage: Sendable {
        nonisolated(unsafe) let pointer: UnsafeMutablePointer<sem_t>
    }

    init() {
        let pointer = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        sem_init(pointer, 0, 0)
        storage = UnsafeStorage(pointer: pointer)
    }

    deinit {
        sem_destroy(storage.pointer)
        storage.pointer.deallocate()
    }

    func signal() { sem_post(storage.pointer) }

    func wait() {
        while sem_wait(storage.pointer) != 0 {}  // interrupted by a signal
    }
}
