package import MillraceBase
package import MillraceProtocol

/// Why a client's operation failed.
package enum ClientError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The broker refused, with its code and a message: its own or ours.
    case refused(ErrorCode, String)
    /// No connection to a broker that could answer; who and why, a sentence.
    case unreachable(String)
    /// No answer, or no success, within the time; what was waited for.
    case timedOut(String)
    /// The broker serves no version of this API that we speak.
    case unsupported(ApiKey)
    /// What came cannot be read, or what should go cannot be written.
    case malformed(String)
    /// The settings are unusable; a sentence.
    case settings(String)
    /// The buffer is full.
    case bufferFull
    /// The client was closed.
    case closed

    /// Whether the same request may succeed later.
    package var isRetriable: Bool {
        switch self {
        case .refused(let code, _): code.isRetriable
        case .unreachable, .timedOut: true
        default: false
        }
    }

    /// Whether metadata are asked for before the next try.
    package var isStaleMetadata: Bool {
        switch self {
        case .refused(let code, _): code.isStaleMetadata
        case .unreachable, .timedOut: true
        default: false
        }
    }

    package var description: String {
        switch self {
        case .refused(let code, let message): message.isEmpty ? "\(code)" : "\(code): \(message)"
        case .unreachable(let why): why
        case .timedOut(let what): "no answer in time: \(what)"
        case .unsupported(let api): "the broker does not serve \(api.name)"
        case .malformed(let what): "malformed: \(what)"
        case .settings(let text): text
        case .bufferFull: "the producer's buffer is full"
        case .closed: "the client is closed"
        }
    }
}

/// A partition by its topic's name: how clients speak of it.
package struct NamedPartition: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var topic: String
    package var index: Int32

    package init(_ topic: String, _ index: Int32) {
        self.topic = topic
        self.index = index
    }

    package static func < (a: Self, b: Self) -> Bool {
        a.topic == b.topic ? a.index < b.index : a.topic < b.topic
    }

    package var description: String { "\(topic)-\(index)" }
}

/// Who is asked.
package enum RequestTarget: Hashable, Sendable {
    /// Any broker that is there.
    case any
    case node(NodeID)
}

/// Names a request of one machine; the answer bears it.
package typealias RequestToken = UInt64
