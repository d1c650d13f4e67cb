internal import Dispatch
internal import MillraceClient
internal import MillraceClientCore
internal import Synchronization

/// What a task came to, for the thread that waits for it.
private final class Outcome<R: Sendable>: Sendable {
    private let result = Mutex<Result<R, ClientError>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    func set(_ value: Result<R, ClientError>) {
        result.withLock { $0 = value }
        done.signal()
    }

    func wait() -> Result<R, ClientError> {
        done.wait()
        return result.withLock { $0 } ?? .failure(.closed)
    }
}

/// Runs a client's work on the main thread's behalf, and gives its faults their exit codes.
func blocking<R: Sendable>(
    _ body: @escaping @Sendable () async throws(ClientError) -> R
) throws(CLIError) -> R {
    let outcome = Outcome<R>()
    Task.detached {
        do throws(ClientError) {
            outcome.set(.success(try await body()))
        } catch {
            outcome.set(.failure(error))
        }
    }
    do throws(ClientError) {
        return try outcome.wait().get()
    } catch {
        throw CLIError(error)
    }
}

extension CLIError {
    init(_ error: ClientError) {
        switch error {
        case .unreachable, .timedOut: self.init(error.description, .unreachable)
        case .settings: self.init(error.description, .usage)
        case .refused(let code, _): self.init(error.description, CLI.exitCode(of: code))
        default: self.init(error.description)
        }
    }
}
