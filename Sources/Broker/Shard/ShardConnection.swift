internal import MillraceBase
internal import MillraceProtocol

/// One connection of a shard: what it is, and the order in which its requests are answered.
struct ShardConnection {
    /// What stands in a place of the order.
    private enum Place {
        case waiting(bytes: Int)
        case ready(Reply)
        /// The request has no answer (acks=0).
        case silent
    }

    let key: ConnectionKey
    let info: ConnectionInfo
    private var places = Deque<Place>()
    /// Sequence of the first place.
    private var head: UInt64 = 0
    /// Whether the runner was asked to hand over no more.
    var isPaused = false

    init(key: ConnectionKey, info: ConnectionInfo) {
        self.key = key
        self.info = info
    }

    /// Requests that have not been answered.
    var outstanding: Int { places.count }
    /// Bytes of requests that are not answered, and of answers that wait for those before them.
    private(set) var outstandingBytes = 0

    /// A request of so many bytes has come.
    /// - Returns: its place in the order.
    mutating func begin(bytes: Int) -> UInt64 {
        places.append(.waiting(bytes: bytes))
        outstandingBytes += bytes
        return head + UInt64(places.count - 1)
    }

    /// The answer to the request in `place`; nil if it has none.
    /// - Parameter send: is given the answers that can leave now, in order.
    mutating func finish(_ place: UInt64, with reply: Reply?, send: (Reply) -> Void) {
        precondition(place >= head && place - head < UInt64(places.count), "answered once")
        if case .waiting(let bytes) = places[Int(place - head)] { outstandingBytes -= bytes }
        if place == head, let reply {
            // The common case: the oldest request is answered, and nothing is stored.
            send(reply)
            advance()
        } else {
            places[Int(place - head)] = reply.map { .ready($0) } ?? .silent
            outstandingBytes += reply?.bytes.count ?? 0
        }
        while let first = places.first {
            switch first {
            case .waiting: return
            case .ready(let reply):
                outstandingBytes -= reply.bytes.count
                send(reply)
            case .silent: break
            }
            advance()
        }
    }

    private mutating func advance() {
        _ = places.popFirst()
        head += 1
    }
}
