internal import CMillrace
internal import Glibc
internal import MillraceBase

/// A listener as one loop has it.
final class Acceptor {
    let socket: ListeningSocket
    let profile: ConnectionProfile
    let handler: any ConnectionHandler
    var isWatched = false

    init(_ socket: ListeningSocket, _ profile: ConnectionProfile, _ handler: any ConnectionHandler)
    {
        self.socket = socket
        self.profile = profile
        self.handler = handler
    }
}

/// The listeners of a loop: accepts, applies limits, and waits when descriptors run out.
final class AcceptorList {
    /// What is accepted in one go, so that open connections have their turn.
    private static let acceptedMax = 64
    /// How long nothing is accepted after descriptors have run out.
    static let pause: Duration = .seconds(1)

    private unowned let loop: EventLoop
    private let presence: LoopPresence
    private var acceptors: [Acceptor?] = []
    private var isShort = false

    init(_ loop: EventLoop) {
        self.loop = loop
        presence = LoopPresence(loop.waker)
    }

    var isEmpty: Bool { acceptors.allSatisfy { $0 == nil } }

    func add(
        _ socket: ListeningSocket, _ settings: ConnectionSettings, _ handler: any ConnectionHandler
    ) throws(NetError) {
        if acceptors.isEmpty {
            loop.attach(presence.arrivals) { [unowned self] in for arrival in $0 { take(arrival) } }
        }
        let profile = ConnectionProfile(settings, listener: socket.name)
        acceptors.append(Acceptor(socket, profile, handler))
        socket.join(presence)
        let code = watch(acceptors.count - 1)
        guard code == 0 else { throw .system("epoll_ctl", code) }
    }

    func removeAll() {
        for index in acceptors.indices {
            guard let acceptor = acceptors[index] else { continue }
            if acceptor.isWatched { loop.unwatch(acceptor.socket.descriptor) }
            acceptor.socket.leave(presence)
            acceptors[index] = nil
        }
    }

    /// Closes what other loops have handed over to a loop that has stopped.
    func dropArrivals() {
        var left: [LoopPresence.Arrival] = []
        presence.arrivals.take(into: &left)
        for arrival in left { close(arrival.descriptor) }
    }

    private func watch(_ index: Int) -> Int32 {
        guard let acceptor = acceptors[index] else { return 0 }
        let code = loop.watch(
            acceptor.socket.descriptor, EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue,
            token: EventLoop.Token.acceptorBase + UInt64(index))
        acceptor.isWatched = code == 0
        return code
    }

    /// Accepts what waits at a listener.
    func accept(_ index: Int) {
        guard index < acceptors.count, let acceptor = acceptors[index], acceptor.isWatched else {
            return
        }
        for _ in 0..<Self.acceptedMax {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let descriptor = millrace_accept(acceptor.socket.descriptor, &storage, &length)
            guard descriptor >= 0 else {
                switch errno {
                case EINTR, ECONNABORTED, EPROTO: continue
                case EMFILE, ENFILE, ENOBUFS, ENOMEM: return stopForAWhile(errno)
                default: return
                }
            }
            isShort = false
            let arrival = LoopPresence.Arrival(
                socket: acceptor.socket, descriptor: descriptor, peer: SocketAddress(storage))
            let target = acceptor.socket.leastLoaded(presence)
            // Counted here, so that a burst is spread before the others have seen it.
            target.connections.add(1)
            if target === presence {
                adopt(arrival, acceptor)
            } else {
                target.arrivals.post(arrival)
            }
        }
    }

    private func take(_ arrival: LoopPresence.Arrival) {
        guard let acceptor = acceptors.first(where: { $0?.socket === arrival.socket }) ?? nil else {
            presence.connections.add(-1)
            close(arrival.descriptor)
            return
        }
        adopt(arrival, acceptor)
    }

    private func adopt(_ arrival: LoopPresence.Arrival, _ acceptor: Acceptor) {
        let settings = acceptor.profile.settings
        if let refusal = settings.quota?.admit(arrival.peer.ip) {
            presence.connections.add(-1)
            return refuse(arrival, refusal, acceptor)
        }
        settings.counters?.connectionsAccepted.add(1)
        settings.counters?.connectionsOpen.add(1)
        SocketOptions.apply(settings, to: arrival.descriptor)
        let connection = Connection(
            id: loop.connections.reserve(), loop: loop, descriptor: arrival.descriptor,
            peer: arrival.peer, local: .local(of: arrival.descriptor), profile: acceptor.profile,
            state: settings.tls == nil ? .open : .handshaking, handler: acceptor.handler)
        loop.connections.put(connection)
        if let holder = settings.tls {
            connection.session = TLSSession(holder.current, io: loop.io, serverName: nil)
            guard connection.session != nil else {
                return connection.close(because: .tlsError("no memory for a session"))
            }
        }
        loop.watch(connection)
        if settings.tls == nil { connection.established(withDecrypted: false) }
    }

    private func refuse(
        _ arrival: LoopPresence.Arrival, _ refusal: ConnectionQuota.Refusal, _ acceptor: Acceptor
    ) {
        close(arrival.descriptor)
        acceptor.profile.settings.counters?.connectionsRefused.add(1)
        let (key, limit) =
            switch refusal {
            case .total(let limit): ("max.connections", limit)
            case .perIP(let limit): ("max.connections.per.ip", limit)
            }
        loop.log.warn(
            "connection refused: \(key) is reached", code: "net.limit",
            [
                "peer": .text("\(arrival.peer)"), "listener": .text(acceptor.socket.name),
                "limit": .integer(Int64(limit)),
            ])
    }

    /// A connection of this loop, accepted or not, is gone.
    func connectionEnded(_ connection: Connection) {
        guard connection.isAccepted else { return }
        presence.connections.add(-1)
        connection.profile.settings.quota?.release(connection.peer.ip)
        connection.profile.settings.counters?.connectionsOpen.add(-1)
    }

    /// Descriptors have run out: the backlog waits, connections that end make room. Said once until
    /// accepting works again.
    private func stopForAWhile(_ code: Int32) {
        if !isShort {
            isShort = true
            loop.log.error(
                "cannot accept connections: \(NetError.text(of: code)); trying again every second",
                code: "net.descriptors")
        }
        for acceptor in acceptors.compactMap({ $0 }) where acceptor.isWatched {
            loop.unwatch(acceptor.socket.descriptor)
            acceptor.isWatched = false
        }
        loop.schedule(at: loop.now + Self.pause) { [weak self] in
            guard let self else { return }
            for index in acceptors.indices { _ = watch(index) }
        }
    }

    /// Takes up certificates that have changed, once a second over all loops.
    func lookAtCertificates() {
        for acceptor in acceptors.compactMap({ $0 }) {
            guard let holder = acceptor.profile.settings.tls,
                holder.isLookDue(atNanoseconds: loop.now.nanoseconds)
            else { continue }
            switch holder.reloadIfChanged() {
            case .unchanged: break
            case .reloaded:
                let certificate = holder.current.certificate
                loop.log.info(
                    "TLS certificates taken up from changed files",
                    [
                        "listener": .text(acceptor.socket.name),
                        "subject": .text(certificate?.subject ?? ""),
                        "valid_until": .text(
                            certificate.map { UTCText.of(seconds: $0.notAfter) } ?? ""),
                    ])
            case .failed(let error):
                loop.log.error(
                    "changed TLS files are not taken up, the earlier ones stay: \(error)",
                    code: "net.certificate", ["listener": .text(acceptor.socket.name)])
            }
        }
    }
}
