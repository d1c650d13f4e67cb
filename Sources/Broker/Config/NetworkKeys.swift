/// Broker settings of listeners, connections, quorum and replication, as in Kafka 4.3.
/// The form of a row stands at `ConfigTable`.
enum NetworkKeys {
    static let rows = #"""
        broker.id|int|-1|read-only|-|high
          Older name of node.id; where both are given they must agree.
        socket.connection.setup.timeout.ms|long|10000|read-only|-|medium
        socket.connection.setup.timeout.max.ms|long|30000|read-only|-|medium
        early.start.listeners|list|null|read-only|-|high
        broker.rack|string|null|read-only|-|medium
          The rack (zone) of this node, which clients and replica placement may prefer.
        controlled.shutdown.enable|boolean|true|read-only|-|medium
        broker.heartbeat.interval.ms|int|2000|read-only|-|medium
          Time between a broker's heartbeats to the controller.
        broker.session.timeout.ms|int|9000|read-only|-|medium
          Time without heartbeats after which a broker is fenced.
        controller.listener.names|list|(required)|read-only|-|high
          Listeners that controllers serve each other and the brokers on.
        controller.performance.sample.period.ms|long|60000|read-only|[100,...]|internal
        controller.performance.always.log.threshold.ms|long|2000|read-only|[0,...]|internal
        listeners|list|PLAINTEXT://:9092|per-broker|-|high
          Where this node listens, as NAME://host:port; no host means all addresses, port 0 a
          free one.
        advertised.listeners|list|null|read-only|-|high
          What clients are told to connect to, where it differs from listeners.
        listener.security.protocol.map|string|SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,\#
        SASL_PLAINTEXT:SASL_PLAINTEXT|per-broker|-|low
          The security protocol of each listener name.
        socket.send.buffer.bytes|int|102400|read-only|-|high
          SO_SNDBUF of clients' connections; -1: the system's (not set: 262144, told as 102400).
        socket.receive.buffer.bytes|int|102400|read-only|-|high
          SO_RCVBUF of clients' connections; -1, and where it is not set, leaves it to the system.
        socket.request.max.bytes|int|104857600|read-only|[1,...]|high
          The largest request that is read; a larger one closes its connection.
        socket.listen.backlog.size|int|50|read-only|[1,...]|medium
          Connections that the system holds until accepted (not set: 4096, told as 50).
        max.connections.per.ip|int|2147483647|cluster-wide|[0,...]|medium
          The most connections at one time from one address.
        max.connections.per.ip.overrides|string||cluster-wide|-|medium
          Other limits for single addresses, as address:count, separated by commas.
        max.connections|int|2147483647|cluster-wide|[0,...]|medium
          The most connections at one time; more are closed at once.
        max.connection.creation.rate|int|2147483647|cluster-wide|[0,...]|medium
        connections.max.idle.ms|long|600000|read-only|-|medium
          A connection without a request for this long is closed; negative: never.
        connection.failed.authentication.delay.ms|int|100|read-only|[0,...]|low
        queued.max.requests|int|500|read-only|[1,...]|high
        queued.max.request.bytes|long|-1|read-only|-|medium
          Bytes of requests that the node holds before it stops reading; -1 means 256 MiB.
        num.network.threads|int|3|cluster-wide|[1,...]|high
        controller.socket.timeout.ms|int|30000|read-only|-|medium
        replica.lag.time.max.ms|long|30000|read-only|-|high
          A follower that has not caught up for this long leaves the in-sync replicas.
        replica.socket.timeout.ms|int|30000|read-only|-|high
        replica.socket.receive.buffer.bytes|int|65536|read-only|-|high
        replica.fetch.max.bytes|int|1048576|read-only|[0,...]|medium
        replica.fetch.wait.max.ms|int|500|read-only|-|high
        replica.fetch.backoff.ms|int|1000|read-only|[0,...]|medium
        replica.fetch.min.bytes|int|1|read-only|-|high
        replica.fetch.response.max.bytes|int|10485760|read-only|[0,...]|medium
        replica.high.watermark.checkpoint.interval.ms|long|5000|read-only|-|high
        security.inter.broker.protocol|string|PLAINTEXT|read-only|[PLAINTEXT, SSL,\#
         SASL_PLAINTEXT, SASL_SSL]|medium
          The security protocol among brokers where no listener name is given.
        inter.broker.listener.name|string|null|read-only|-|medium
          The listener that brokers use among themselves.
        replica.selector.class|string|null|read-only|-|medium
          How a consumer's nearest replica is chosen; the names of Kafka's own classes are known.
        controller.quorum.voters|list||read-only|non-empty list|high
          The voters of the metadata quorum, as id@host:port.
        controller.quorum.bootstrap.servers|list||read-only|non-empty list|high
          Where the controllers are found, as host:port.
        controller.quorum.election.timeout.ms|int|1000|read-only|[0,...]|high
        controller.quorum.fetch.timeout.ms|int|2000|read-only|[0,...]|high
        controller.quorum.election.backoff.max.ms|int|1000|read-only|[0,...]|high
        controller.quorum.append.linger.ms|int|25|read-only|[0,...]|medium
        controller.quorum.request.timeout.ms|int|2000|read-only|[0,...]|medium
        controller.quorum.retry.backoff.ms|int|20|read-only|[0,...]|low
        controller.quorum.auto.join.enable|boolean|false|read-only|-|low
        controller.quorum.fetch.snapshot.max.bytes|int|1048576|read-only|[1,...]|low
        controller.quorum.fetch.max.bytes|int|1048576|read-only|[1,...]|low
        quota.window.num|int|11|read-only|[1,...]|low
        replication.quota.window.num|int|11|read-only|[1,...]|low
        controller.quota.window.num|int|11|read-only|[1,...]|low
        quota.window.size.seconds|int|1|read-only|[1,...]|low
        replication.quota.window.size.seconds|int|1|read-only|[1,...]|low
        controller.quota.window.size.seconds|int|1|read-only|[1,...]|low
        """#
}
