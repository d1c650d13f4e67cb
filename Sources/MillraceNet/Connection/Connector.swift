internal import CMillrace
internal import Glibc
internal import MillraceBase

/// What an outgoing connection still has to try.
final class ConnectAttempt {
    let host: String
    var addresses: [SocketAddress] = []
    var lastError: NetError?
    /// When the next address is tried; nil during look-up.
    var deadline: Instant?

    init(host: String) { self.host = host }
}

/// Outgoing connections of a loop, until they stand.
///
/// A name is looked up by `getaddrinfo` on a thread of its own, since it may block for seconds;
/// addresses as text need none. Bounded: so many look-ups at once, more fail at once.
final class Connector {
    private static let lookupsMax = 32

    private struct Lookup: Sendable {
        var id: ConnectionID
        var result: Result<[SocketAddress], NetError>
    }

    private unowned let loop: EventLoop
    private let lookups: Mailbox<Lookup>
    private var lookupsUnderWay = 0

    init(_ loop: EventLoop) {
        self.loop = loop
        lookups = Mailbox(waker: loop.waker)
        loop.attach(lookups) { [unowned self] in for lookup in $0 { resolved(lookup) } }
    }

    func connect(
        _ host: String, _ port: UInt16, _ settings: ConnectionSettings,
        _ handler: any ConnectionHandler
    ) -> ConnectionID {
        let connection = Connection(
            id: loop.connections.reserve(), loop: loop, descriptor: -1,
            peer: SocketAddress(ip: .anyIPv4, port: port), local: .unknown,
            profile: ConnectionProfile(settings, listener: nil), state: .connecting,
            handler: handler)
        connection.openDeadline = EventLoop.monotonicNow() + settings.handshakeTimeout
        let attempt = ConnectAttempt(host: host)
        connection.attempt = attempt
        loop.connections.put(connection)
        if let ip = IPAddress(host) {
            attempt.addresses = [SocketAddress(ip: ip, port: port)]
            tryNext(connection)
        } else {
            lookUp(host, port, connection)
        }
        return connection.id
    }

    private func lookUp(_ host: String, _ port: UInt16, _ connection: Connection) {
        guard lookupsUnderWay < Self.lookupsMax else {
            return connection.close(
                because: .connectFailed(.unresolved(host, "too many names are being looked up")))
        }
        let (id, mailbox) = (connection.id, lookups)
        do {
            try WorkerThread.detached(name: "resolver") {
                let result = Result { () throws(NetError) in
                    try Resolver.resolve(host: host, port: port)
                }
                mailbox.post(Lookup(id: id, result: result))
            }
            lookupsUnderWay += 1
        } catch { connection.close(because: .connectFailed(error)) }
    }

    private func resolved(_ lookup: Lookup) {
        lookupsUnderWay -= 1
        guard let connection = loop.connections[lookup.id], connection.state == .connecting else {
            return
        }
        switch lookup.result {
        case .success(let addresses):
            connection.attempt?.addresses = addresses
            tryNext(connection)
        case .failure(let error): connection.close(because: .connectFailed(error))
        }
    }

    /// Begins with the next address, or gives up.
    private func tryNext(_ connection: Connection) {
        guard let attempt = connection.attempt else { return }
        dropSocket(connection)
        while !attempt.addresses.isEmpty {
            // An address may take its share of the time that is left.
            let now = EventLoop.monotonicNow()
            let left = max(.zero, connection.openDeadline - now)
            attempt.deadline = now + left / attempt.addresses.count
            let address = attempt.addresses.removeFirst()
            let descriptor = millrace_stream_socket(address.family)
            guard descriptor >= 0 else {
                attempt.lastError = .system("socket", errno)
                continue
            }
            connection.descriptor = descriptor
            connection.peer = address
            SocketOptions.apply(connection.profile.settings, to: descriptor)
            if address.withSystemAddress({ Glibc.connect(descriptor, $0, $1) }) == 0
                || errno == EINPROGRESS
            {
                loop.watch(connection)
                return
            }
            attempt.lastError = .system("connect to \(address)", errno)
            dropSocket(connection)
        }
        connection.close(
            because: .connectFailed(attempt.lastError ?? .unresolved(attempt.host, "no address")))
    }

    private func dropSocket(_ connection: Connection) {
        guard connection.descriptor >= 0 else { return }
        close(connection.descriptor)
        connection.descriptor = -1
        connection.isReadable = false
        connection.sawHangup = false
    }

    /// The socket has an answer.
    func connected(_ connection: Connection) {
        guard let attempt = connection.attempt, connection.descriptor >= 0 else { return }
        guard connection.isWritable else { return }
        let code = millrace_socket_error(connection.descriptor)
        guard code == 0 else {
            attempt.lastError = .system("connect to \(connection.peer)", code)
            return tryNext(connection)
        }
        connection.attempt = nil
        connection.local = .local(of: connection.descriptor)
        guard let holder = connection.profile.settings.tls else {
            connection.established(withDecrypted: false)
            return connection.isReadable ? loop.markReady(connection) : ()
        }
        let context = holder.current
        connection.session = TLSSession(context, io: loop.io, serverName: attempt.host)
        guard connection.session != nil else {
            return connection.close(because: .tlsError("\(attempt.host) cannot be a server's name"))
        }
        connection.state = .handshaking
        connection.isReadable = false
        connection.handshake()
        // What came with the same event is asked for in the next turn.
        if connection.state == .handshaking {
            connection.isReadable = true
            loop.markReady(connection)
        }
    }

    /// Turns to the next address when this one had its share of the time.
    func check(_ connection: Connection) {
        guard let attempt = connection.attempt, let deadline = attempt.deadline,
            loop.now >= deadline, !attempt.addresses.isEmpty
        else { return }
        attempt.lastError = .system("connect to \(connection.peer)", ETIMEDOUT)
        tryNext(connection)
    }
}
