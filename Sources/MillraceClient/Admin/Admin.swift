package import MillraceBase
package import MillraceClientCore
internal import MillraceNet
package import MillraceProtocol

/// Asks and changes a cluster. Any task may use it. Each call sends once, to the broker that
/// decides; coordinators that are still being made are waited for.
///
/// A call about one thing throws what the broker refused, with the broker's words if it had any. A
/// call about several gives the answer for each: a refusal stands in its error code.
package final class Admin: Sendable {
    private let thread: ClientThread<AdminDriver>
    /// For one answer.
    let timeout: Duration

    private init(thread: ClientThread<AdminDriver>, timeout: Duration) {
        self.thread = thread
        self.timeout = timeout
    }

    /// Starts a client; it connects with the first call.
    /// - Throws: `.settings`.
    package static func open(_ client: ClientSettings) async throws(ClientError) -> Admin {
        let thread = try await ClientThread<AdminDriver>.start(name: "admin") {
            loop throws(ClientError) in
            AdminDriver(try Router(loop, client), timeout: client.requestTimeout)
        }
        return Admin(thread: thread, timeout: client.requestTimeout)
    }

    /// Ends connections and thread. Nothing may be asked afterwards.
    package func close() async {
        await withCheckedContinuation { (closed: CheckedContinuation<Void, Never>) in
            thread.post {
                $0.close()
                closed.resume()
            }
        }
        thread.stop()
    }

    /// Any request and its answer, whose error codes are the caller's to read.
    func ask<Answer: Message>(
        _ request: any Message, _ api: ApiKey, as _: Answer.Type = Answer.self,
        of target: RequestTarget = .any
    ) async throws(ClientError) -> Answer {
        let result = await withCheckedContinuation {
            (answered: CheckedContinuation<Result<Answer, ClientError>, Never>) in
            thread.post { driver in
                driver.ask(request, api, target) { answered.resume(returning: $0) }
            }
        }
        return try result.get()
    }

    /// What a broker is given for a change, in milliseconds.
    var timeoutMs: Int32 { Int32(min(max(timeout / .milliseconds(1), 1), 1e9)) }

    /// - Throws: `.refused` unless `code` is 0.
    static func check(_ code: Int16, _ message: String?) throws(ClientError) {
        guard code != 0 else { return }
        throw .refused(ErrorCode(rawValue: code), message ?? "")
    }

    /// The cluster's id, controller and brokers.
    package func describeCluster() async throws(ClientError) -> DescribeClusterResponse {
        let answer = try await ask(
            DescribeClusterRequest(), .describeCluster, as: DescribeClusterResponse.self)
        try Self.check(answer.errorCode, answer.errorMessage)
        return answer
    }

    /// The brokers that are there, by their ids in order.
    func brokers() async throws(ClientError) -> [NodeID] {
        var request = MetadataRequest()
        request.topics = []
        request.allowAutoTopicCreation = false
        let answer = try await ask(request, .metadata, as: MetadataResponse.self)
        return answer.brokers.map { NodeID($0.nodeId) }.sorted()
    }

    /// The log directories of a broker, with the size of each partition.
    package func describeLogDirs(
        of node: NodeID
    ) async throws(ClientError) -> [DescribeLogDirsResponse.Result] {
        var request = DescribeLogDirsRequest()
        request.topics = nil
        let answer = try await ask(
            request, .describeLogDirs, as: DescribeLogDirsResponse.self, of: .node(node))
        try Self.check(answer.errorCode, nil)
        return answer.results
    }
}
