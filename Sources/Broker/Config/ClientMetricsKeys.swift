/// Settings of a client metrics subscription (KIP-714).
/// The form of a row stands at `ConfigTable`.
enum ClientMetricsKeys {
    static let rows = #"""
        metrics|list||cluster-wide|-|medium
        interval.ms|int|300000|cluster-wide|-|medium
        match|list||cluster-wide|-|medium
        """#
}
