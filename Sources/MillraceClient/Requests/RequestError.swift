/// Why a request to a cluster has no answer.
package enum RequestError: Error, Equatable, Sendable {
    /// Nobody answers there, or the connection broke: address and reason.
    case unreachable(String, String)
    /// No answer in time.
    case timedOut(String)
    /// The broker lacks the API, or all versions of it that we speak.
    case unsupported(String)
    /// An answer that cannot be read, or a request that cannot be written.
    case malformed(String)
    /// Settings that make no sense.
    case settings(String)
}

extension RequestError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let address, let why): "\(address) is not reachable: \(why)"
        case .timedOut(let what): "\(what): no answer in time"
        case .unsupported(let what): "the broker does not serve \(what)"
        case .malformed(let what): what
        case .settings(let what): what
        }
    }
}
