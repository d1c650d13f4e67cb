internal import Glibc
internal import Synchronization

/// Where the lines of a process go, with the level of each module. One a process, shared by all
/// its threads; a line is written with one `write`, so that lines of two threads never mix.
///
/// Bounded: a line that the reader of a pipe does not take at once is dropped and counted, it never
/// stops a loop; `codesMax` codes are limited each by itself, those beyond share one allowance.
package final class LogSink: Sendable {
    /// The module whose level holds for every module that has none of its own.
    package static let root = "root"
    /// Lines of one code in one window; more are counted and told with the next line.
    package static let linesPerWindow = 10
    package static let windowSeconds: Int64 = 10
    static let codesMax = 256
    static let modulesMax = 64

    /// What a module's loggers look at before they build a line.
    final class ModuleLevel: Sendable {
        let value: Atomic<UInt8>
        init(_ level: LogLevel) { value = Atomic(level.rawValue) }
    }

    private struct Allowance {
        var windowStart: Int64
        var used: Int
        var suppressed: Int64 = 0
    }

    private struct State {
        var rootLevel: LogLevel
        var modules: [String: ModuleLevel] = [:]
        var explicit: [String: LogLevel] = [:]
        var allowances: [String: Allowance] = [:]
    }

    private let format: LogFormat
    private let descriptor: Int32
    private let capture: (@Sendable ([UInt8]) -> Void)?
    private let node = Atomic<Int32>(-1)
    private let dropped = Atomic<Int64>(0)
    private let state: Mutex<State>

    /// A sink that writes to `descriptor` (standard error).
    /// - Parameter format: nil chooses text where the descriptor is a terminal, else JSON lines.
    package init(
        level: LogLevel = .info, format: LogFormat? = nil, descriptor: Int32 = STDERR_FILENO
    ) {
        self.format = format ?? (isatty(descriptor) == 1 ? .text : .json)
        self.descriptor = descriptor
        capture = nil
        state = Mutex(State(rootLevel: level))
    }

    /// A sink for tests: it hands each line to a function.
    package init(
        level: LogLevel = .trace, format: LogFormat = .json,
        capture: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.format = format
        descriptor = -1
        self.capture = capture
        state = Mutex(State(rootLevel: level))
    }

    /// The logger of a module. Keep it: asking takes the lock.
    package func logger(_ module: String) -> Log {
        Log(sink: self, module: module, level: moduleLevel(module))
    }

    /// From now on lines bear this node id.
    package func setNode(_ id: NodeID) { node.store(id.rawValue, ordering: .relaxed) }

    /// Lines lost because the descriptor did not take them.
    package var linesDropped: Int64 { dropped.load(ordering: .relaxed) }

    private func moduleLevel(_ module: String) -> ModuleLevel {
        state.withLock { state in
            if let known = state.modules[module] { return known }
            let level = ModuleLevel(state.rootLevel)
            if state.modules.count < Self.modulesMax { state.modules[module] = level }
            return level
        }
    }

    /// Every logger with its level, sorted by name, the root among them.
    package func levels() -> [(module: String, level: LogLevel)] {
        state.withLock { state in
            let modules = state.modules.keys.map { ($0, state.explicit[$0] ?? state.rootLevel) }
            return (modules + [(Self.root, state.rootLevel)])
                .sorted { $0.0 < $1.0 }.map { (module: $0.0, level: $0.1) }
        }
    }

    /// Sets the level of a module, or of the root; nil lets a module follow the root again.
    /// - Returns: false if there is no such module, or the root's level would be removed.
    package func setLevel(_ level: LogLevel?, for module: String) -> Bool {
        state.withLock { state in
            if module == Self.root {
                guard let level else { return false }
                state.rootLevel = level
                for (name, entry) in state.modules where state.explicit[name] == nil {
                    entry.value.store(level.rawValue, ordering: .relaxed)
                }
                return true
            }
            guard let entry = state.modules[module] else { return false }
            state.explicit[module] = level
            entry.value.store((level ?? state.rootLevel).rawValue, ordering: .relaxed)
            return true
        }
    }

    func write(_ entry: LogEntry) {
        let now = Self.wallClock()
        var entry = entry
        if let code = entry.code {
            guard let suppressed = allow(code, at: now.rawValue / 1000) else { return }
            if suppressed > 0 {
                entry.fields.append((key: "suppressed", value: .integer(suppressed)))
            }
        }
        let id = node.load(ordering: .relaxed)
        let line = format.line(for: entry, at: now, node: id < 0 ? nil : id)
        if let capture { return capture(line) }
        var written = 0
        while written < line.count {
            let count = line[written...].withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            if count <= 0 {
                dropped.wrappingAdd(1, ordering: .relaxed)
                return
            }
            written += count
        }
    }

    /// Whether a line of this code may be written: how many were suppressed before it, or nil.
    private func allow(_ code: String, at second: Int64) -> Int64? {
        state.withLock { state in
            let known = state.allowances[code] != nil || state.allowances.count < Self.codesMax
            let key = known ? code : ""
            var allowance = state.allowances[key] ?? Allowance(windowStart: second, used: 0)
            if second - allowance.windowStart >= Self.windowSeconds
                || second < allowance.windowStart
            {
                allowance.windowStart = second
                allowance.used = 0
            }
            defer { state.allowances[key] = allowance }
            guard allowance.used < Self.linesPerWindow else {
                allowance.suppressed &+= 1
                return nil
            }
            allowance.used += 1
            defer { allowance.suppressed = 0 }
            return allowance.suppressed
        }
    }

    static func wallClock() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

/// The logger of one module: what code holds and calls. Below the module's level a call costs one
/// relaxed load; neither message nor fields are built.
package struct Log: Sendable {
    package let module: String
    /// Where the lines go, with the levels of all modules.
    package let sink: LogSink
    private let level: LogSink.ModuleLevel

    init(sink: LogSink, module: String, level: LogSink.ModuleLevel) {
        (self.sink, self.module, self.level) = (sink, module, level)
    }

    /// A logger that writes nothing, for tests and tools.
    package static let disabled = LogSink(level: .fatal, capture: { _ in }).logger("none")

    /// Whether lines of this level are written.
    package func isEnabled(_ level: LogLevel) -> Bool {
        level.rawValue >= self.level.value.load(ordering: .relaxed)
    }

    /// Writes a line, unless the module's level is above `level`.
    /// - Parameter code: the stable code of a line that an operator must act on; at most
    ///   `LogSink.linesPerWindow` lines of a code are written in a window.
    package func log(
        _ level: LogLevel, _ message: @autoclosure () -> String, code: String? = nil,
        _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
    ) {
        guard isEnabled(level) else { return }
        sink.write(
            LogEntry(
                level: level, module: module, code: code, message: message(),
                fields: fields().map { (key: $0.key, value: $0.value) }))
    }

    package func debug(
        _ message: @autoclosure () -> String, code: String? = nil,
        _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
    ) { log(.debug, message(), code: code, fields()) }

    package func info(
        _ message: @autoclosure () -> String, code: String? = nil,
        _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
    ) { log(.info, message(), code: code, fields()) }

    package func warn(
        _ message: @autoclosure () -> String, code: String? = nil,
        _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
    ) { log(.warn, message(), code: code, fields()) }

    package func error(
        _ message: @autoclosure () -> String, code: String? = nil,
        _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
    ) { log(.error, message(), code: code, fields()) }
}
