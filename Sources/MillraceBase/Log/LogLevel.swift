/// How much a log line matters. The order is that of swift-log and log4j; `fatal` is said once,
/// by a node that is about to stop.
package enum LogLevel: UInt8, CaseIterable, Comparable, Sendable {
    case trace, debug, info, warn, error, fatal

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    /// Lower case, as log lines show it.
    package var name: StaticString {
        switch self {
        case .trace: "trace"
        case .debug: "debug"
        case .info: "info"
        case .warn: "warn"
        case .error: "error"
        case .fatal: "fatal"
        }
    }

    /// Reads a name of a level, whatever its case.
    package init?(_ text: String) {
        let lowercased = text.lowercased()
        guard let level = Self.allCases.first(where: { "\($0.name)" == lowercased }) else {
            return nil
        }
        self = level
    }
}

/// A typed value of a log field: JSON lines keep the type.
package enum LogValue: Sendable, Equatable {
    case text(String)
    case integer(Int64)
    case number(Double)
    case flag(Bool)
}

extension LogValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(booleanLiteral value: Bool) { self = .flag(value) }
    package init(_ value: some BinaryInteger) { self = .integer(Int64(clamping: value)) }
    package init(_ value: some CustomStringConvertible) { self = .text(value.description) }
}

/// One line of the log before it is formatted.
struct LogEntry: Sendable, Equatable {
    var level: LogLevel
    var module: String
    /// A stable code (`NET-004`) of a line that an operator must act on; lines are rate-limited
    /// by it.
    var code: String?
    var message: String
    var fields: [(key: String, value: LogValue)]

    init(
        level: LogLevel, module: String, code: String? = nil, message: String,
        fields: [(key: String, value: LogValue)] = []
    ) {
        self.level = level
        self.module = module
        self.code = code
        self.message = message
        self.fields = fields
    }

    static func == (a: Self, b: Self) -> Bool {
        a.level == b.level && a.module == b.module && a.code == b.code && a.message == b.message
            && a.fields.elementsEqual(b.fields) { $0.key == $1.key && $0.value == $1.value }
    }
}
