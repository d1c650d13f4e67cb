internal import MillraceProtocol

/// One connection of a shard: what it is, and the order in which its requests are answered.
struct ShardConnection {
    let key: ConnectionKey
    let info: ConnectionInfo
    /// Sequence of the oldest request that has not been answered.
    private var oldest: UInt64 = 0
    /// Sequence of the next request.
    private var next: UInt64 = 0
    /// Answers to requests behind the oldest, by sequence; nil for those that get none (acks=0).
    private var early: [UInt64: Reply?] = [:]
    /// Whether the runner was asked to hand over no more.
    var isPaused = false

    init(key: ConnectionKey, info: ConnectionInfo) {
        self.key = key
        self.info = info
    }

    /// Requests that have not been answered.
    var outstanding: Int { Int(next - oldest) }
    /// Bytes of requests that are not answered, and of answers that wait for those before them.
    private(set) var outstandingBytes = 0

    /// A request of so many bytes has come.
    /// - Returns: its place in the order.
    mutating func begin(bytes: Int) -> UInt64 {
        outstandingBytes += bytes
        next += 1
        return next - 1
    }

    /// The answer to the request in `place`; nil if it has none.
    /// - Parameters:
    ///   - bytes: of the request, as it began.
    ///   - send: is given the answers that can leave now, in order.
    mutating func finish(
        _ place: UInt64, bytes: Int, with reply: Reply?, send: (Reply) -> Void
    ) {
        precondition(place >= oldest && place < next, "answered once")
        outstandingBytes -= bytes
        guard place == oldest else {
            let former = early.updateValue(reply, forKey: place)
            precondition(former == nil, "answered once")
            outstandingBytes += reply?.bytes.count ?? 0
            return
        }
        // The common case: the oldest request is answered, and nothing is stored.
        oldest += 1
        if let reply { send(reply) }
        while !early.isEmpty, let reply = early.removeValue(forKey: oldest) {
            oldest += 1
            guard let reply else { continue }
            outstandingBytes -= reply.bytes.count
            send(reply)
        }
    }
}
