package import MillraceBase

/// Told when a turn of the loop is over.
package protocol EventLoopDelegate: AnyObject {
    /// All events, messages and timers of this turn are handled; what is sent from here still
    /// leaves in this turn. The loop's thread.
    func turnEnded(_ loop: EventLoop)
}

/// Sizes and times of an event loop.
package struct EventLoopSettings: Sendable {
    /// The receive buffer that the loop's connections share.
    package var receiveBufferBytes = 256 * 1024
    /// What one connection may receive in a turn before the others have theirs.
    package var turnBytesMax = 1024 * 1024
    package init() {}
}

/// A timer of a loop, to cancel it by.
package struct TimerID: Hashable, Sendable {
    var rawValue: UInt64
}

/// One thread's epoll loop (edge-triggered) with its connections, listeners, timers and mailboxes.
/// Made and used on the thread that calls `run`; from other threads only mailboxes and the waker are
/// touched.
///
/// A turn: events of sockets, mailboxes, timers, the delegate's `turnEnded`, then everything that was
/// queued is written.
package final class EventLoop {
    /// When this turn began. Read once a turn.
    package private(set) var now: Instant = .zero
    package weak var delegate: (any EventLoopDelegate)?

    package init(
        waker: Waker, settings: EventLoopSettings = EventLoopSettings(), log: Log = .disabled
    ) throws(NetError) {}

    /// Both clocks as of the beginning of this turn.
    package var moment: Moment { Moment(instant: now, timestamp: .none) }

    /// Takes messages from a mailbox on every turn. The array is valid for the call.
    package func attach<Message>(
        _ mailbox: Mailbox<Message>, _ receive: @escaping ([Message]) -> Void
    ) {}

    /// Calls `body` once at `deadline`, or soon after.
    @discardableResult
    package func schedule(at deadline: Instant, _ body: @escaping () -> Void) -> TimerID {
        TimerID(rawValue: 0)
    }

    /// Forgets a timer; one that has fired already is no error.
    package func cancel(_ timer: TimerID) {}

    /// Accepts from a listening socket, which several loops may share.
    package func listen(
        on socket: ListeningSocket, settings: ConnectionSettings, handler: any ConnectionHandler
    ) throws(NetError) {}

    /// Accepts no more on any listener; connections stay.
    package func stopListening() {}

    /// Begins a connection. `handler.opened` or `handler.closed` tells how it went, in a later turn.
    /// A name is resolved on a helper thread; its addresses are tried in their order.
    package func connect(
        toHost host: String, port: UInt16, settings: ConnectionSettings,
        timeout: Duration, handler: any ConnectionHandler
    ) -> ConnectionID { ConnectionID(slot: 0, generation: 0) }

    /// The connection of this id, if it is still open.
    package func connection(_ id: ConnectionID) -> Connection? { nil }

    /// Open connections, those in handshake too.
    package var connectionCount: Int { 0 }

    /// Turns until the waker is stopped, then closes all connections.
    package func run() {}
}
