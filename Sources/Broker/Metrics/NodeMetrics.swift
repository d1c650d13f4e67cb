package import MillraceBase

/// The metrics of a node. Made once, before the shards; each shard takes a `ShardMetrics` of its
/// own, so that counting a request costs no locked instruction.
package final class NodeMetrics: Sendable {
    package let registry: MetricsRegistry
    /// From a disk thread's start of an fdatasync to its end.
    package let flushTime: Histogram
    /// From the staging of an append to its being written.
    package let appendTime: Histogram
    /// From the append of a metadata change to its commit.
    package let metadataCommitTime: Histogram

    package init(registry: MetricsRegistry = MetricsRegistry()) {
        self.registry = registry
        flushTime = registry.latency(
            "millrace_storage_flush_seconds", help: "Time of an fdatasync of a log.")
        appendTime = registry.latency(
            "millrace_storage_append_seconds",
            help: "Time from the staging of an append to its being written.")
        metadataCommitTime = registry.latency(
            "millrace_metadata_commit_seconds",
            help: "Time from the append of a metadata change to its commit.")
    }

    /// A gauge of bytes that one part of the node holds, read when it is asked for.
    package func memory(owner: String, reading: @escaping @Sendable () -> Double?) {
        registry.gauge(
            "millrace_node_memory_bytes", help: "Memory held, by owner.", [("owner", owner)],
            reading: reading)
    }

    /// The expiry of a listener's certificate, in seconds since 1970.
    package func certificateExpiry(
        listener: String, reading: @escaping @Sendable () -> Double?
    ) {
        registry.gauge(
            "millrace_net_certificate_expiry_timestamp_seconds",
            help: "When the certificate of a listener expires, in seconds since 1970.",
            [("listener", listener)], reading: reading)
    }

    /// The part of one shard.
    /// - Parameter apis: key and name of every API that is served.
    package func shard(apis: [(key: Int16, name: String)]) -> ShardMetrics {
        ShardMetrics(registry: registry, apis: apis)
    }
}

/// What one shard counts. Owned by its thread.
package struct ShardMetrics {
    private final class API: Sendable {
        let name: String
        let requests: CounterCell
        let latency: HistogramCell

        init(name: String, requests: CounterCell, latency: HistogramCell) {
            (self.name, self.requests, self.latency) = (name, requests, latency)
        }
    }

    private let registry: MetricsRegistry
    /// By API key; APIs that are not served share the first entry.
    private var apis: [API?]
    /// By API key, then error code.
    private var errors: [[Int16: Counter]]
    package let bytesIn: CounterCell
    package let bytesOut: CounterCell
    package let recordsIn: CounterCell

    /// Error codes beyond this many of one API are counted together.
    private static let errorsMax = 32

    init(registry: MetricsRegistry, apis served: [(key: Int16, name: String)]) {
        self.registry = registry
        let last = served.map(\.key).max() ?? 0
        apis = Array(repeating: nil, count: Int(last) + 1)
        errors = Array(repeating: [:], count: Int(last) + 1)
        for (key, name) in served where key >= 0 {
            apis[Int(key)] = API(
                name: name,
                requests: registry.counter(
                    "millrace_broker_requests_total", help: "Requests answered, by API.",
                    [("api", name)]
                ).cell(),
                latency: registry.latency(
                    "millrace_broker_request_seconds",
                    help: "Time from a request's last byte to its answer, by API.",
                    [("api", name)]
                ).cell())
        }
        bytesIn = registry.counter(
            "millrace_broker_received_bytes_total", help: "Bytes of requests."
        ).cell()
        bytesOut = registry.counter(
            "millrace_broker_sent_bytes_total", help: "Bytes of answers."
        ).cell()
        recordsIn = registry.counter(
            "millrace_broker_records_appended_total", help: "Records taken from producers."
        ).cell()
    }

    /// Counts a request that was answered after so many nanoseconds.
    package func answered(api: Int16, after nanoseconds: Int64) {
        guard api >= 0, Int(api) < apis.count, let entry = apis[Int(api)] else { return }
        entry.requests.add()
        entry.latency.record(UInt64(clamping: nanoseconds))
    }

    /// Counts an error code in an answer; 0 is none.
    package mutating func failed(api: Int16, errorCode: Int16) {
        guard errorCode != 0, api >= 0, Int(api) < apis.count, let entry = apis[Int(api)] else {
            return
        }
        if let counter = errors[Int(api)][errorCode] { return counter.add() }
        let code = errors[Int(api)].count < Self.errorsMax ? errorCode : -1
        let counter = registry.counter(
            "millrace_broker_errors_total", help: "Errors answered, by API and Kafka's code.",
            [("api", entry.name), ("error", String(code))])
        counter.add()
        errors[Int(api)][errorCode] = counter
    }
}
