/// Replication throttles of a broker: dynamic, not in server.properties.
/// The form of a row stands at `ConfigTable`.
enum ThrottleKeys {
    static let rows = #"""
        leader.replication.throttled.rate|long|9223372036854775807|per-broker|[0,...]|medium
        follower.replication.throttled.rate|long|9223372036854775807|per-broker|[0,...]|medium
        replica.alter.log.dirs.io.max.bytes.per.second|long|9223372036854775807|per-broker|[0,..\#
        .]|medium
        """#
}
