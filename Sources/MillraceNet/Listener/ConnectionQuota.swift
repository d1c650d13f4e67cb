internal import Synchronization

/// `max.connections`, `max.connections.per.ip` and its overrides, shared by the listeners and loops
/// of a node. A connection beyond a limit is closed at once: a client sees that and tries again,
/// where one that is kept waiting in the backlog would wait for its time-out. Any thread.
package final class ConnectionQuota: Sendable {
    /// Which limit refused a connection.
    package enum Refusal: Sendable, Equatable {
        case total(Int)
        case perIP(Int)
    }

    private struct State {
        var total: Int
        var perIP: Int
        var overrides: [IPAddress: Int]
        var open = 0
        var openByIP: [IPAddress: Int] = [:]
    }

    private let state: Mutex<State>

    package init(total: Int = .max, perIP: Int = .max, overrides: [IPAddress: Int] = [:]) {
        state = Mutex(State(total: total, perIP: perIP, overrides: overrides))
    }

    /// Changes the limits for connections to come.
    package func update(total: Int, perIP: Int, overrides: [IPAddress: Int]) {
        state.withLock { state in
            state.total = total
            state.perIP = perIP
            state.overrides = overrides
        }
    }

    /// Open connections of an address.
    package func count(of ip: IPAddress) -> Int { state.withLock { $0.openByIP[ip] ?? 0 } }

    /// Counts a connection, or says which limit it breaks.
    func admit(_ ip: IPAddress) -> Refusal? {
        state.withLock { state in
            guard state.open < state.total else { return .total(state.total) }
            let open = state.openByIP[ip] ?? 0
            let limit = state.overrides[ip] ?? state.perIP
            guard open < limit else { return .perIP(limit) }
            state.open += 1
            state.openByIP[ip] = open + 1
            return nil
        }
    }

    func release(_ ip: IPAddress) {
        state.withLock { state in
            guard let open = state.openByIP[ip] else { return }
            state.open -= 1
            state.openByIP[ip] = open > 1 ? open - 1 : nil
        }
    }
}
