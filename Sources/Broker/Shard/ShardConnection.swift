internal import MillraceBase
internal import MillraceProtocol

/// One connection of a shard: what it is, and the order in which its requests are answered.
struct ShardConnection {
    /// What stands in a place of the order.
    private enum Place {
        case waiting
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

    /// A request has come.
    /// - Returns: its place in the order.
    mutating func begin() -> UInt64 {
        places.append(.waiting)
        return head + UInt64(places.count - 1)
    }

    /// The answer to the request in `place`; nil if it has none.
    /// - Parameter send: is given the answers that can leave now, in order.
    mutating func finish(_ place: UInt64, with reply: Reply?, send: (Reply) -> Void) {
        precondition(place >= head && place - head < UInt64(places.count), "answered once")
        if place == head, let reply {
            // The common case: the oldest request is answered, and nothing is stored.
            send(reply)
            advance()
        } else {
            places[Int(place - head)] = reply.map { .ready($0) } ?? .silent
        }
        while let first = places.first {
            switch first {
            case .waiting: return
            case .ready(let reply): send(reply)
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
