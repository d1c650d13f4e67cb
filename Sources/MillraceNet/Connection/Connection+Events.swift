internal import CMillrace
internal import MillraceBase

/// What the loop tells a connection.
extension Connection {
    /// Events of epoll.
    func handle(_ events: UInt32) {
        let ended = EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue
        if events & (EPOLLIN.rawValue | ended) != 0 { isReadable = true }
        if events & ended != 0 { sawHangup = true }
        if events & EPOLLOUT.rawValue != 0 { isWritable = true }
        switch state {
        case .connecting: loop.connector.connected(self)
        case .handshaking:
            if sendBacklog(), isReadable { handshake() }
        case .open:
            if events & EPOLLOUT.rawValue != 0, unsentBytes > 0 { flush() }
            if isPaused, events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
                // Nobody is there who could read an answer.
                return close(because: .peerClosed)
            }
            if isReadable { receiveBurst() }
        case .closed: break
        }
    }

    /// Goes on where the last turn ended.
    func goOn() {
        switch state {
        case .connecting, .closed: break
        case .handshaking: handshake()
        case .open: receiveBurst()
        }
    }

    /// Closes a connection that has been silent, or not opened, for too long.
    func checkTime(at now: Instant) {
        switch state {
        case .connecting:
            if now >= openDeadline { close(because: .timedOut) } else { loop.connector.check(self) }
        case .handshaking:
            guard now >= openDeadline, let session else { return }
            close(
                because: .handshakeFailed(
                    session.failure(peer: peer, reason: "it was not finished in time")))
        case .open:
            guard let idleMax = profile.settings.idleMax, now - lastActive >= idleMax else {
                return
            }
            close(because: .idle)
        case .closed: break
        }
    }
}
