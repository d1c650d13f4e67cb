package import MillraceBase
package import MillraceProtocol

/// Names a connection of a shard's loop: a slot that is used again, and a generation that is not.
package struct ConnectionKey: Hashable, Sendable {
    package var slot: UInt32
    package var generation: UInt32

    package init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// A request that waits for its answer: who asked, in which place of the connection's order, and
/// how the answer is to be written. Whoever decides the answer, on whatever thread, gives it with
/// this.
package struct ReplyToken: Hashable, Sendable {
    /// The shard that has the connection.
    package var shard: Int
    package var connection: ConnectionKey
    /// Counts the connection's requests: answers leave in this order.
    package var sequence: UInt64
    package var correlationID: Int32
    package var api: ApiKey
    package var version: Int16
    package var received: Instant
    /// How large the request was.
    package var bytes: Int

    package init(
        shard: Int, connection: ConnectionKey, sequence: UInt64, correlationID: Int32, api: ApiKey,
        version: Int16, received: Instant, bytes: Int = 0
    ) {
        (self.shard, self.connection, self.sequence) = (shard, connection, sequence)
        (self.correlationID, self.api, self.version) = (correlationID, api, version)
        (self.received, self.bytes) = (received, bytes)
    }
}

/// What a shard knows of a connection that it was told at its opening. A class: every request
/// refers to it.
package final class ConnectionInfo: Sendable {
    /// The listener's name.
    package let listener: String
    /// The peer's address as Kafka shows it, `/127.0.0.1`.
    package let clientHost: String
    /// `User:ANONYMOUS`, or from the client's certificate.
    package let principal: String

    package init(listener: String, clientHost: String, principal: String = "User:ANONYMOUS") {
        self.listener = listener
        self.clientHost = clientHost
        self.principal = principal
    }
}
