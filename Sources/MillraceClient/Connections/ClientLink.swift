internal import MillraceBase
internal import MillraceClientCore
internal import MillraceNet
internal import MillraceProtocol

/// A request on its way, with what reads its answer.
final class PendingRequest {
    typealias Completion = (Result<ClientLink.Answer, ClientError>) -> Void

    let api: ApiKey
    let message: any Message
    let versionMax: Int16
    let hasAnswer: Bool
    private var completion: Completion?
    var timer: LoopTimerID?
    /// Where it was sent.
    weak var link: ClientLink?

    init(
        _ api: ApiKey, _ message: any Message, versionMax: Int16, hasAnswer: Bool,
        _ completion: @escaping Completion
    ) {
        self.api = api
        self.message = message
        self.versionMax = versionMax
        self.hasAnswer = hasAnswer
        self.completion = completion
    }

    var isDone: Bool { completion == nil }

    /// Tells the outcome, once; whatever comes later is dropped.
    func finish(_ result: Result<ClientLink.Answer, ClientError>) {
        let body = completion
        completion = nil
        body?(result)
    }
}

/// One connection to a broker: learns what it serves, then carries requests and matches answers,
/// which come in order. Used on its loop's thread only.
final class ClientLink: ConnectionHandler {
    /// An answer's body in its frame, valid during the call.
    struct Answer {
        var frame: UnsafeRawBufferPointer
        var bodyStart: Int
        var version: Int16
    }

    let address: BrokerAddress
    private let loop: EventLoop
    private let clientID: String
    private var id: ConnectionID?
    private var versions: ApiVersionTable?
    private(set) var isClosed = false
    /// Whether it has ever been connected.
    private(set) var isOpen = false
    private var waiting: [PendingRequest] = []
    private var inFlight = Deque<(correlation: Int32, version: Int16, request: PendingRequest)>()
    private var nextCorrelation: Int32 = 0
    /// Told when the connection has ended.
    var onClosed: (String) -> Void = { _ in }

    init(
        _ address: BrokerAddress, loop: EventLoop, settings: ClientSettings,
        tls: TLSContextHolder?
    ) {
        self.address = address
        self.loop = loop
        clientID = settings.clientID
        var connection = ConnectionSettings()
        connection.tls = tls
        connection.idleMax = nil
        connection.unsentBytesMax = 64 << 20
        connection.frameBytesMax = 512 << 20
        id = loop.connect(
            toHost: address.host, port: address.port, settings: connection,
            timeout: settings.connectTimeout, handler: self)
    }

    /// Sends now, or once the broker has said what it serves.
    func send(_ request: PendingRequest) {
        guard !isClosed else {
            return request.finish(.failure(.unreachable(why("the connection is closed"))))
        }
        guard versions != nil else { return waiting.append(request) }
        write(request)
    }

    func close(_ why: String) { if let id { loop.connection(id)?.close(why) } }

    private func write(_ request: PendingRequest) {
        guard !request.isDone, let id, let connection = loop.connection(id) else { return }
        let limit = min(request.versionMax, request.api.requestSchema.versions.upperBound)
        guard
            let version = request.api == .apiVersions
                ? 0 : versions?.version(of: request.api, atMost: limit)
        else { return request.finish(.failure(.unsupported(request.api))) }
        nextCorrelation &+= 1
        var writer = ByteWriter(capacity: 512)
        do throws(CodecError) {
            try writer.writeRequest(
                request.message, api: request.api, version: version,
                correlationID: nextCorrelation, clientID: clientID)
        } catch {
            return request.finish(.failure(.malformed("\(request.api.name): \(error)")))
        }
        connection.send(writer.array())
        guard request.hasAnswer else {
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            return request.finish(
                .success(Answer(frame: nothing, bodyStart: 0, version: version)))
        }
        inFlight.append((nextCorrelation, version, request))
    }

    // MARK: the connection

    func opened(_ connection: Connection) {
        isOpen = true
        id = connection.id
        // Version 0 is read by every broker, whatever it serves (KIP-511).
        write(
            PendingRequest(.apiVersions, ApiVersionsRequest(), versionMax: 0, hasAnswer: true) {
                [unowned self] in learn($0)
            })
    }

    private func learn(_ result: Result<Answer, ClientError>) {
        guard case .success(let answer) = result else { return }
        var reader = ByteReader(answer.frame)
        do throws(CodecError) {
            try reader.skip(answer.bodyStart)
            versions = ApiVersionTable(try ApiVersionsResponse(from: &reader, version: 0))
        } catch {
            return close("what answers does not speak Kafka's protocol")
        }
        let requests = waiting
        waiting = []
        for request in requests { write(request) }
    }

    func received(_ frame: UnsafeMutableRawBufferPointer, on connection: Connection) {
        let bytes = UnsafeRawBufferPointer(frame)
        var reader = ByteReader(bytes)
        guard let (correlation, version, request) = inFlight.popFirst() else {
            return close("an answer that nobody asked for")
        }
        do throws(CodecError) {
            let header = try ResponseHeader(
                from: &reader,
                version: ResponseHeader.headerVersion(api: request.api, version: version))
            guard header.correlationId == correlation else {
                request.finish(.failure(.malformed("the answer to another request")))
                return close("an answer out of order")
            }
        } catch {
            request.finish(.failure(.malformed("\(request.api.name): \(error)")))
            return close("an answer without a header")
        }
        request.finish(
            .success(Answer(frame: bytes, bodyStart: reader.position, version: version)))
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        isClosed = true
        let why = why(Self.text(of: reason))
        onClosed(why)
        let lost = waiting + inFlight.map(\.request)
        waiting = []
        inFlight.removeAll()
        for request in lost { request.finish(.failure(.unreachable(why))) }
    }

    /// One line: who is not reachable and for which reason.
    func why(_ reason: String) -> String { "\(address) is not reachable: \(reason)" }

    private static func text(of reason: CloseReason) -> String {
        switch reason {
        case .peerClosed: "it closed the connection (does it want TLS, or none?)"
        case .socketError(let code): NetError.text(of: code)
        case .closedByUs(let why): why
        case .handshakeFailed(let failure):
            "the TLS handshake failed: \(failure.reason)"
                + (failure.verifyError.map { " (certificate: \($0))" } ?? "")
        case .connectFailed(let error): error.description
        case .timedOut: "connecting took too long"
        case .tlsError(let why): why
        case .frameSize(let size):
            "an answer of \(size) bytes: this is no plaintext listener of Kafka's protocol"
        default: "\(reason)"
        }
    }
}
