internal import MillraceClientCore
internal import MillraceProtocol

/// What became of several things that were asked for in one command. A thing that failed makes the
/// command fail, after all the others were told.
struct Results {
    private let invocation: Invocation
    private let done: String
    private var documents: [JSONValue] = []
    private var code = ExitCode.done

    /// - Parameter done: what is said of what went well, `created`.
    init(_ invocation: Invocation, done: String) {
        (self.invocation, self.done) = (invocation, done)
    }

    mutating func add(
        _ what: String, _ error: ErrorCode, _ message: String?, _ members: [(String, JSONValue)]
    ) {
        let failed = error != .none
        documents.append(
            .object(
                members + [
                    ("error", failed ? .text("\(error)") : .null),
                    ("message", failed ? JSONValue(message) : .null),
                ]))
        if failed {
            code = exitCode(of: error)
            Terminal.error(refusal(what, error, message))
        } else if invocation.output != .json {
            Terminal.note("\(done) \(what)")
        }
    }

    /// Does one thing and adds what became of it: done or refused.
    /// - Throws: when it is not known.
    mutating func add(
        _ what: String, _ members: [(String, JSONValue)],
        _ body: @escaping @Sendable () async throws(ClientError) -> Void
    ) throws(CLIError) {
        let (code, words) = try blocking { () async throws(ClientError) -> (ErrorCode, String?) in
            do throws(ClientError) {
                try await body()
                return (.none, nil)
            } catch .refused(let code, let words) {
                return (code, words)
            }
        }
        add(what, code, words, members)
    }

    /// Prints the document, if one is wanted.
    func finish() -> ExitCode {
        if invocation.output == .json {
            invocation.write(.list(documents))
        }
        return code
    }
}
