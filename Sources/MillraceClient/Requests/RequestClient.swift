package import MillraceBase
package import MillraceNet
package import MillraceProtocol

/// Asks brokers, on the caller's thread: connections, versions, leaders. For tools; a program's own
/// producers and consumers have machines of their own.
///
/// `ask` waits for one answer. `begin` lets many be on their way, and `turn` works on them.
package final class RequestClient {
    /// Where and how to connect.
    package struct Settings: Sendable {
        package var bootstrap: [(host: String, port: UInt16)]
        package var tls: TLSSettings?
        package var clientID = "millrace"
        package var timeout: Duration = .seconds(30)

        package init(bootstrap: [(host: String, port: UInt16)]) { self.bootstrap = bootstrap }
    }

    /// Whom to ask.
    package enum Target: Hashable, Sendable {
        case any
        case node(Int32)
    }

    /// An answer with the frame that its record fields point into.
    package struct Answer<Body> {
        package var body: Body
        package var version: Int16
        package var frame: [UInt8]
    }

    package let settings: Settings
    /// Broker id → where it is; filled by each metadata answer.
    package private(set) var brokers: [Int32: (host: String, port: UInt16)] = [:]
    private let loop: EventLoop
    private let tls: TLSContextHolder?
    private var anyLink: BrokerLink?
    private var links: [Int32: BrokerLink] = [:]

    package init(_ settings: Settings) throws(RequestError) {
        self.settings = settings
        do throws(NetError) {
            loop = try EventLoop(waker: try Waker())
            tls = try settings.tls.map { settings throws(NetError) in
                try TLSContextHolder(settings, role: .client)
            }
        } catch {
            throw .settings(error.description)
        }
    }

    package var now: Instant { loop.now }
    package var moment: Moment { loop.moment }

    // MARK: requests

    /// Asks and waits.
    /// - Parameter versionMax: the newest version whose fields the request fits.
    package func ask<Request: Message, Body: Message>(
        _ request: Request, _ api: ApiKey, as _: Body.Type, of target: Target = .any,
        versionMax: Int16 = .max, timeout: Duration? = nil
    ) throws(RequestError) -> Answer<Body> {
        var outcome: Result<Answer<Body>, RequestError>?
        try begin(request, api, as: Body.self, of: target, versionMax: versionMax) {
            outcome = $0
        }
        let limit = timeout ?? settings.timeout
        let deadline = loop.now + limit
        while outcome == nil {
            guard try turn(until: deadline) else { throw .timedOut(api.name) }
        }
        guard let outcome else { throw .timedOut(api.name) }
        return try outcome.get()
    }

    /// Asks; `completion` is called by a later `turn`.
    package func begin<Request: Message, Body: Message>(
        _ request: Request, _ api: ApiKey, as _: Body.Type, of target: Target,
        versionMax: Int16 = .max,
        _ completion: @escaping (Result<Answer<Body>, RequestError>) -> Void
    ) throws(RequestError) {
        let link = try link(to: target)
        let version = try version(of: api, on: link, versionMax)
        try link.send({ result in
            completion(Self.decode(result, api, version))
        }) { correlation throws(CodecError) in
            try self.frame(request, api, version, correlation)
        }
    }

    /// Sends what has no answer: a Produce request with acks 0.
    package func tell<Request: Message>(
        _ request: Request, _ api: ApiKey, of target: Target, versionMax: Int16 = .max
    ) throws(RequestError) {
        let link = try link(to: target)
        let version = try version(of: api, on: link, versionMax)
        try link.sendSilently { correlation throws(CodecError) in
            try self.frame(request, api, version, correlation)
        }
    }

    /// The version that both sides speak.
    package func version(
        of api: ApiKey, target: Target, versionMax: Int16 = .max
    ) throws(RequestError) -> Int16 {
        try version(of: api, on: try link(to: target), versionMax)
    }

    /// Works on connections until something happened, at most until `deadline`.
    /// - Returns: whether there is time left.
    package func turn(until deadline: Instant) throws(RequestError) -> Bool {
        let timer = loop.schedule(at: deadline) {}
        loop.turn()
        loop.cancel(timer)
        return loop.now < deadline
    }

    private func frame(
        _ request: some Message, _ api: ApiKey, _ version: Int16, _ correlation: Int32
    ) throws(CodecError) -> [UInt8] {
        var writer = ByteWriter(capacity: 1024)
        try writer.writeRequest(
            request, api: api, version: version, correlationID: correlation,
            clientID: settings.clientID)
        return writer.array()
    }

    private static func decode<Body: Message>(
        _ result: Result<[UInt8], RequestError>, _ api: ApiKey, _ version: Int16
    ) -> Result<Answer<Body>, RequestError> {
        result.flatMap { frame in
            frame.withUnsafeBytes { bytes in
                var reader = ByteReader(bytes)
                do throws(CodecError) {
                    _ = try ResponseHeader(
                        from: &reader,
                        version: ResponseHeader.headerVersion(api: api, version: version))
                    let body = try Body(from: &reader, version: version)
                    return .success(Answer(body: body, version: version, frame: frame))
                } catch {
                    return .failure(
                        .malformed("the answer to \(api.name) cannot be read: \(error)"))
                }
            }
        }
    }

    private func version(
        of api: ApiKey, on link: BrokerLink, _ versionMax: Int16
    ) throws(RequestError) -> Int16 {
        let ours = api.requestSchema.versions
        guard let theirs = link.versions[api.rawValue] else { throw .unsupported(api.name) }
        let version = min(ours.upperBound, theirs.upperBound, versionMax)
        guard version >= max(ours.lowerBound, theirs.lowerBound) else {
            throw .unsupported("\(api.name) in a version that this client speaks")
        }
        return version
    }

    // MARK: connections

    private func link(to target: Target) throws(RequestError) -> BrokerLink {
        switch target {
        case .any:
            if let anyLink, anyLink.state == .ready { return anyLink }
            var last = RequestError.settings("no bootstrap server")
            for (host, port) in settings.bootstrap {
                do throws(RequestError) {
                    let made = try connect(host, port)
                    anyLink = made
                    return made
                } catch {
                    last = error
                }
            }
            throw last
        case .node(let id):
            if let link = links[id], link.state == .ready { return link }
            if brokers[id] == nil { _ = try metadata(topics: []) }
            guard let (host, port) = brokers[id] else {
                throw .unreachable("broker \(id)", "the cluster does not know it")
            }
            let made = try connect(host, port)
            links[id] = made
            return made
        }
    }

    private func connect(_ host: String, _ port: UInt16) throws(RequestError) -> BrokerLink {
        let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        let link = BrokerLink(address: address)
        var connection = ConnectionSettings()
        connection.tls = tls
        connection.idleMax = nil
        connection.unsentBytesMax = 256 << 20
        connection.frameBytesMax = .max
        // The loop's clock stands still between turns.
        try refreshClock()
        let limit = min(settings.timeout, .seconds(30))
        _ = loop.connect(
            toHost: host, port: port, settings: connection, timeout: limit, handler: link)
        let deadline = loop.now + limit + .seconds(1)
        while link.state == .connecting {
            guard try turn(until: deadline) else { throw .timedOut(address) }
        }
        if case .closed(let why) = link.state { throw .unreachable(address, why) }
        return link
    }

    private func refreshClock() throws(RequestError) { _ = try turn(until: loop.now) }

    /// Closes all connections in good order.
    package func close() {
        anyLink?.close()
        for link in links.values { link.close() }
        let timer = loop.schedule(at: loop.now) {}
        loop.turn()
        loop.cancel(timer)
    }

    // MARK: metadata

    /// What the cluster tells of topics; nil for all, `[]` for brokers only.
    package func metadata(
        topics: [String]?, creating: Bool = false
    ) throws(RequestError) -> MetadataResponse {
        var request = MetadataRequest()
        request.allowAutoTopicCreation = creating
        request.topics = topics.map { names in
            names.map { name in
                var topic = MetadataRequest.Topic()
                topic.name = name
                return topic
            }
        }
        let answer = try ask(request, .metadata, as: MetadataResponse.self).body
        learn(answer.brokers)
        return answer
    }

    func learn(_ found: [MetadataResponse.Broker]) {
        for broker in found {
            brokers[broker.nodeId] = (broker.host, UInt16(clamping: broker.port))
        }
    }

    /// The node that coordinates a group. Waits while there is none yet.
    package func coordinator(ofGroup group: String) throws(RequestError) -> Target {
        var request = FindCoordinatorRequest()
        let deadline = loop.now + settings.timeout
        while true {
            let version = try version(of: .findCoordinator, target: .any)
            if version >= 4 { request.coordinatorKeys = [group] } else { request.key = group }
            let answer = try ask(request, .findCoordinator, as: FindCoordinatorResponse.self).body
            let (code, node, host, port) =
                version >= 4
                ? answer.coordinators.first.map { ($0.errorCode, $0.nodeId, $0.host, $0.port) }
                    ?? (-1, -1, "", 0)
                : (answer.errorCode, answer.nodeId, answer.host, answer.port)
            let error = ErrorCode(rawValue: code)
            if error == .none {
                brokers[node] = (host, UInt16(clamping: port))
                return .node(node)
            }
            guard error.isRetriable, try pause(.milliseconds(100), until: deadline) else {
                throw .malformed("group \(group): \(error)")
            }
        }
    }

    /// Lets time pass.
    /// - Returns: whether there is time left until `deadline`.
    package func pause(
        _ duration: Duration, until deadline: Instant = .distantFuture
    ) throws(RequestError) -> Bool {
        try refreshClock()
        let end = min(loop.now + duration, deadline)
        while try turn(until: end) {}
        return loop.now < deadline
    }
}
