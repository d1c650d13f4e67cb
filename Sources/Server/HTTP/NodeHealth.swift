package import MillraceBase
internal import Synchronization

/// What the node says of its own health. Parts report from their threads; the HTTP thread reads.
package final class NodeHealth: Sendable {
    /// One thing that is looked at.
    package struct Check: Sendable, Equatable {
        package var name: String
        /// nil: it is well.
        package var problem: String?
        /// Whether the node cannot serve without it.
        package var isNeededToServe: Bool
    }

    private struct State {
        var checks: [String: Check] = [:]
        var beats: [String: Instant] = [:]
        var watched: [(name: String, isNeeded: Bool, reading: @Sendable () -> String?)] = []
        var stopping = false
    }

    /// A loop that has not turned for this long hangs.
    static let beatMax = Duration.seconds(10)

    private let state = Mutex(State())
    private let clock: @Sendable () -> Instant

    /// - Parameter clock: the monotonic clock of the loops.
    package init(clock: @escaping @Sendable () -> Instant) { self.clock = clock }

    /// Notes how a part is; nil: well. Parts are noted as failing before they start.
    package func report(_ name: String, problem: String?, isNeededToServe: Bool = true) {
        state.withLock {
            $0.checks[name] = Check(
                name: name, problem: problem, isNeededToServe: isNeededToServe)
        }
    }

    /// Has something read whenever health is asked for, on the thread that asks: its problem, or
    /// nil while it is well.
    package func watch(
        _ name: String, isNeededToServe: Bool = true, reading: @escaping @Sendable () -> String?
    ) {
        state.withLock { $0.watched.append((name, isNeededToServe, reading)) }
    }

    /// A loop turned. At most once a second, by its timer.
    package func beat(_ loop: String) {
        let now = clock()
        state.withLock { $0.beats[loop] = now }
    }

    /// The node stops: it is no longer ready, but alive.
    package func stop() { state.withLock { $0.stopping = true } }

    /// All checks in order of name, the loops' among them.
    package func checks() -> [Check] {
        let now = clock()
        return state.withLock { state in
            var checks = Array(state.checks.values)
            for (loop, last) in state.beats {
                let hangs = now - last > Self.beatMax
                checks.append(
                    Check(
                        name: "loop \(loop)",
                        problem: hangs ? "no turn for \((now - last).components.seconds) s" : nil,
                        isNeededToServe: true))
            }
            for (name, isNeeded, reading) in state.watched {
                checks.append(Check(name: name, problem: reading(), isNeededToServe: isNeeded))
            }
            if state.stopping {
                checks.append(
                    Check(name: "running", problem: "the node stops", isNeededToServe: true))
            }
            return checks.sorted { $0.name < $1.name }
        }
    }

    /// Whether every loop turns.
    package var isAlive: Bool {
        checks().allSatisfy { !$0.name.hasPrefix("loop ") || $0.problem == nil }
    }

    /// Whether clients are served.
    package var isReady: Bool {
        let checks = checks()
        return !checks.isEmpty && checks.allSatisfy { $0.problem == nil || !$0.isNeededToServe }
    }
}
