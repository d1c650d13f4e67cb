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
/// - Parameter what: whom a refusal is about, `topic clicks`.
func blocking<R: Sendable>(
    _ what: String? = nil,
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
        throw CLIError(error, about: what)
    }
}

extension CLIError {
    init(_ error: ClientError, about what: String? = nil) {
        switch error {
        case .unreachable(let why): self.init("\(why); \(Self.question(why))", .unreachable)
        case .timedOut: self.init(error.description, .unreachable)
        case .settings: self.init(error.description, .usage)
        case .refused(let code, let words):
            let text = what.map { refusal($0, code, words) } ?? error.description
            self.init(text, CLI.exitCode(of: code))
        default: self.init(error.description)
        }
    }

    /// What to look at when nobody can be reached for this reason.
    private static func question(_ why: String) -> String {
        guard why.contains("TLS handshake failed") else { return "is -b right?" }
        // In OpenSSL's words.
        let untrusted = ["self-signed certificate", "unable to get local issuer certificate"]
        if untrusted.contains(where: { why.contains($0) }) {
            return "is --ca the authority that signed its certificate?"
        }
        let plaintext = ["the peer closed the connection", "wrong version number"]
        let isPlaintext = plaintext.contains { why.contains($0) }
        return isPlaintext ? "is it a plaintext listener?" : "is -b right?"
    }
}
