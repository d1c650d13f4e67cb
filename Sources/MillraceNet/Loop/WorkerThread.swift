internal import CMillrace
internal import Glibc

/// A thread of the system with a name, which `top -H` shows.
package final class WorkerThread: Sendable {
    /// What the new thread gets; freed by it.
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            (self.name, self.body) = (name, body)
        }
    }

    private let thread: pthread_t

    /// Starts a thread. It must be joined, once.
    /// - Parameter name: at most 15 bytes are shown.
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(NetError) {
        thread = try Self.start(Start(name, body))
    }

    /// Starts a thread that nobody waits for.
    package static func detached(
        name: String, _ body: @escaping @Sendable () -> Void
    ) throws(NetError) {
        pthread_detach(try start(Start(name, body)))
    }

    /// Waits until the thread's body has returned.
    package func join() { pthread_join(thread, nil) }

    private static func start(_ start: Start) throws(NetError) -> pthread_t {
        let context = Unmanaged.passRetained(start)
        var thread = pthread_t()
        // Free of captures: what the thread needs comes through its argument.
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                _ = millrace_name_thread(String(start.name.prefix(15)))
                start.body()
                return nil
            }, context.toOpaque())
        guard status == 0 else {
            context.release()
            throw .system("pthread_create", status)
        }
        return thread
    }
}
