import MillraceBase
import MillraceNet
import Synchronization

/// An outgoing connection of a loop of its own.
final class TLSClient: Sendable {
    enum Event: Sendable, Equatable {
        case opened
        case frame([UInt8])
        case closed(CloseReason)
    }

    let events = Events<Event>()
    private let loop: RunningLoop
    private let id: ConnectionID

    /// - Parameter tls: nil for plain text.
    init(
        host: String = "localhost", port: UInt16, _ tls: TLSSettings?,
        timeout: Duration = .seconds(10)
    ) throws {
        let events = events
        loop = try RunningLoop()
        var settings = ConnectionSettings()
        if let tls { settings.tls = try TLSContextHolder(tls, role: .client) }
        id = try loop.sync { [settings] loop in
            let handler = TestHandler()
            handler.onOpened = { _ in events.post(.opened) }
            handler.onFrame = { frame, _ in events.post(.frame(Array(frame))) }
            handler.onClosed = { events.post(.closed($1)) }
            return loop.connect(
                toHost: host, port: port, settings: settings, timeout: timeout, handler: handler)
        }
    }

    deinit { loop.stop() }

    func send(_ bytes: [UInt8]) {
        let id = id
        loop.post { $0.connection(id)?.send(bytes) }
    }
}
