internal import MillraceBase
internal import MillraceClientCore
internal import MillraceNet
internal import MillraceProtocol

/// Carries single requests on a loop.
final class AdminDriver {
    private let router: Router
    private let timeout: Duration

    init(_ router: Router, timeout: Duration) {
        self.router = router
        self.timeout = timeout
    }

    /// Asks; a broker whose address is not known yet is looked up first.
    func ask<Answer: Message>(
        _ request: any Message, _ api: ApiKey, _ target: RequestTarget,
        _ body: @escaping @Sendable (Result<Answer, ClientError>) -> Void
    ) {
        guard case .node(let node) = target, !router.knows(node) else {
            return send(request, api, target, body)
        }
        var brokers = MetadataRequest()
        brokers.topics = []
        brokers.allowAutoTopicCreation = false
        send(brokers, .metadata, .any) { [unowned self] (found: Result<MetadataResponse, _>) in
            if case .failure(let error) = found { return body(.failure(error)) }
            send(request, api, target, body)
        }
    }

    private func send<Answer: Message>(
        _ request: any Message, _ api: ApiKey, _ target: RequestTarget,
        _ body: @escaping (Result<Answer, ClientError>) -> Void
    ) {
        router.send(
            api, request, versionMax: ClientRequest.versionMax(of: api), to: target,
            timeout: timeout
        ) { [unowned self] result in
            body(
                result.flatMap { answer in
                    var reader = ByteReader(answer.frame)
                    do throws(CodecError) {
                        try reader.skip(answer.bodyStart)
                        let read = try Answer(from: &reader, version: answer.version)
                        note(read)
                        return .success(read)
                    } catch { return .failure(.malformed("\(api.name): \(error)")) }
                })
        }
    }

    /// Keeps the addresses that an answer tells.
    private func note(_ answer: some Message) {
        if let metadata = answer as? MetadataResponse {
            for broker in metadata.brokers {
                router.locate(NodeID(broker.nodeId), host: broker.host, port: broker.port)
            }
        } else if let found = answer as? FindCoordinatorResponse {
            for broker in found.coordinators {
                router.locate(NodeID(broker.nodeId), host: broker.host, port: broker.port)
            }
        }
    }

    func close() { router.close() }
}
