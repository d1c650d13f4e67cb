internal import MillraceBase
internal import MillraceNet
internal import MillraceProtocol

/// One connection to a broker: its versions, and the requests that wait for answers, in order.
/// Used on the thread of its loop.
final class BrokerLink: ConnectionHandler {
    /// Gets the frame of the answer, header included.
    typealias Completion = (Result<[UInt8], RequestError>) -> Void

    enum State: Equatable {
        case connecting, ready
        case closed(String)
    }

    let address: String
    private(set) var state = State.connecting
    /// API key → what the broker serves.
    private(set) var versions: [Int16: ClosedRange<Int16>] = [:]
    private var connection: Connection?
    private var pending = Deque<(correlation: Int32, completion: Completion)>()
    private var nextCorrelation: Int32 = 0

    init(address: String) { self.address = address }

    var inFlight: Int { pending.count }

    /// Sends a frame made by `make` for a correlation id.
    func send(
        _ completion: @escaping Completion,
        _ make: (Int32) throws(CodecError) -> [UInt8]
    ) throws(RequestError) {
        guard let connection, !connection.isClosed else {
            throw .unreachable(address, "the connection is closed")
        }
        nextCorrelation &+= 1
        do throws(CodecError) {
            connection.send(try make(nextCorrelation))
        } catch {
            throw .malformed("a request cannot be written: \(error)")
        }
        pending.append((nextCorrelation, completion))
    }

    /// Sends a request without an answer.
    func sendSilently(_ make: (Int32) throws(CodecError) -> [UInt8]) throws(RequestError) {
        guard let connection, !connection.isClosed else {
            throw .unreachable(address, "the connection is closed")
        }
        nextCorrelation &+= 1
        do throws(CodecError) {
            connection.send(try make(nextCorrelation))
        } catch {
            throw .malformed("a request cannot be written: \(error)")
        }
    }

    func close() { connection?.close("no longer needed") }

    // MARK: the loop's calls

    func opened(_ connection: Connection) {
        self.connection = connection
        do throws(RequestError) {
            try send({ [unowned self] in self.learnVersions($0) }) {
                correlation throws(CodecError) in
                var writer = ByteWriter()
                try writer.writeRequest(
                    ApiVersionsRequest(), api: .apiVersions, version: 0,
                    correlationID: correlation, clientID: "millrace")
                return writer.array()
            }
        } catch {
            connection.close("\(error)")
        }
    }

    private func learnVersions(_ answer: Result<[UInt8], RequestError>) {
        guard case .success(let frame) = answer else { return }
        let found = frame.withUnsafeBytes { bytes -> ApiVersionsResponse? in
            var reader = ByteReader(bytes)
            do throws(CodecError) {
                try reader.skip(4)
                return try ApiVersionsResponse(from: &reader, version: 0)
            } catch {
                return nil
            }
        }
        guard let found, found.errorCode == 0 else {
            connection?.close("it answers as no broker of Kafka's protocol does")
            return
        }
        for api in found.apiKeys where api.minVersion <= api.maxVersion {
            versions[api.apiKey] = api.minVersion...api.maxVersion
        }
        state = .ready
    }

    func received(_ frame: UnsafeMutableRawBufferPointer, on connection: Connection) {
        let bytes = Array(frame)
        guard let first = pending.popFirst(), bytes.count >= 4,
            bytes[..<4].reduce(0, { $0 << 8 | UInt32($1) }) == UInt32(bitPattern: first.correlation)
        else {
            connection.close("an answer that nobody asked for")
            return
        }
        first.completion(.success(bytes))
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        let why = Self.text(of: reason)
        state = .closed(why)
        self.connection = nil
        while let next = pending.popFirst() {
            next.completion(.failure(.unreachable(address, why)))
        }
    }

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
