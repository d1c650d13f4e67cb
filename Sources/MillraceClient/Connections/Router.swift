internal import MillraceBase
internal import MillraceClientCore
internal import MillraceNet
internal import MillraceProtocol

/// A client's connections: one to each broker that it speaks with, made when first needed. Used on
/// its loop's thread only.
final class Router {
    let loop: EventLoop
    private let settings: ClientSettings
    private let tls: TLSContextHolder?
    private var brokers: [NodeID: BrokerAddress] = [:]
    private var links: [BrokerAddress: ClientLink] = [:]

    init(_ loop: EventLoop, _ settings: ClientSettings) throws(ClientError) {
        self.loop = loop
        self.settings = settings
        do throws(NetError) {
            tls = try settings.tls.map { settings throws(NetError) in
                try TLSContextHolder(settings, role: .client)
            }
        } catch { throw .settings(error.description) }
    }

    /// Notes where a broker is.
    func locate(_ node: NodeID, host: String, port: Int32) {
        guard node.rawValue >= 0, let port = UInt16(exactly: port), !host.isEmpty else { return }
        brokers[node] = BrokerAddress(host: host, port: port)
    }

    /// Whether a broker's address is known.
    func knows(_ node: NodeID) -> Bool { brokers[node] != nil }

    /// Sends a machine's request; record bytes of the answer are copied out of the frame.
    func send(
        _ request: ClientRequest, to target: RequestTarget,
        _ completion: @escaping (Result<ClientResponse, ClientError>) -> Void
    ) {
        let timeout = settings.requestTimeout + .milliseconds(Int64(request.heldMs))
        let hasAnswer = request.hasAnswer
        send(
            request.api, request.message, versionMax: request.versionMax, hasAnswer: hasAnswer,
            to: target, timeout: timeout
        ) { [unowned self] result in
            completion(
                result.flatMap { answer in
                    guard hasAnswer else { return .success(.produce(ProduceResponse())) }
                    let read = Self.read(request, answer)
                    if case .success(.metadata(let metadata)) = read { note(metadata) }
                    return read
                })
        }
    }

    /// Sends any request; `completion` reads the answer during its call.
    func send(
        _ api: ApiKey, _ message: any Message, versionMax: Int16, hasAnswer: Bool = true,
        to target: RequestTarget, timeout: Duration,
        _ completion: @escaping PendingRequest.Completion
    ) {
        let deadline = loop.now + timeout
        let request = PendingRequest(
            api, message, versionMax: versionMax, hasAnswer: hasAnswer, completion)
        request.timer = loop.schedule(at: deadline) {
            if let link = request.link, !link.isOpen {
                request.finish(.failure(.unreachable(link.why("connecting takes too long"))))
            } else {
                request.finish(.failure(.timedOut(api.name)))
            }
            // What is behind it would wait as long.
            request.link?.close("no answer to \(api.name) in time")
        }
        switch target {
        case .node(let node):
            guard let address = brokers[node] else {
                return finish(
                    request,
                    .unreachable("broker \(node.rawValue) is not reachable: no address is known"))
            }
            let link = link(to: address)
            request.link = link
            link.send(tracked(request))
        case .any: sendToAny(request, from: 0)
        }
    }

    /// Gives up the timer with the outcome.
    private func tracked(_ request: PendingRequest) -> PendingRequest {
        PendingRequest(
            request.api, request.message, versionMax: request.versionMax,
            hasAnswer: request.hasAnswer
        ) { [unowned self] result in
            if let timer = request.timer { loop.cancel(timer) }
            request.finish(result)
        }
    }

    private func finish(_ request: PendingRequest, _ error: ClientError) {
        if let timer = request.timer { loop.cancel(timer) }
        // In a later turn, so that no machine is stepped inside its own effects.
        loop.schedule(at: loop.now) { request.finish(.failure(error)) }
    }

    /// Tries the bootstrap servers in order; those that cannot be reached are passed over.
    private func sendToAny(_ request: PendingRequest, from index: Int) {
        let address = settings.bootstrap[index]
        let attempt = PendingRequest(
            request.api, request.message, versionMax: request.versionMax,
            hasAnswer: request.hasAnswer
        ) { [unowned self] result in
            if case .failure(.unreachable) = result, index + 1 < settings.bootstrap.count,
                !request.isDone
            {
                return sendToAny(request, from: index + 1)
            }
            if let timer = request.timer { loop.cancel(timer) }
            request.finish(result)
        }
        let link = link(to: address)
        request.link = link
        link.send(attempt)
    }

    private func link(to address: BrokerAddress) -> ClientLink {
        if let link = links[address], !link.isClosed { return link }
        let link = ClientLink(address, loop: loop, settings: settings, tls: tls)
        links[address] = link
        link.onClosed = { [unowned self, unowned link] _ in
            if links[address] === link { links[address] = nil }
        }
        return link
    }

    private func note(_ metadata: MetadataResponse) {
        for broker in metadata.brokers {
            locate(NodeID(broker.nodeId), host: broker.host, port: broker.port)
        }
    }

    private static func read(
        _ request: ClientRequest, _ answer: ClientLink.Answer
    ) -> Result<ClientResponse, ClientError> {
        var reader = ByteReader(answer.frame)
        do throws(CodecError) {
            try reader.skip(answer.bodyStart)
            return .success(
                try request.readAnswer(from: &reader, version: answer.version)
                    .detached(from: answer.frame))
        } catch { return .failure(.malformed("\(request.api.name): \(error)")) }
    }

    func close() { for link in links.values { link.close("the client is closed") } }
}
