/// Settings of our own, which Kafka does not have.
/// The form of a row stands at `ConfigTable`.
enum MillraceKeys {
    static let rows = #"""
        millrace.shards|int|0|read-only|[0,...,64]|high
          Event loops of the data plane; 0: one on up to two processors, else all but one, at
          most 8.
        millrace.http.listener|string|:9644|read-only|-|medium
          Where health and metrics are served by HTTP, as host:port; empty: nowhere.
        millrace.storage.format|boolean|false|read-only|-|medium
          Whether an empty data directory is formatted at the start, with a new cluster id.
        millrace.log.level|string|info|read-only|(case insensitive) [trace, debug, info, warn,\#
         error, fatal]|low
          Least level of the lines that this node logs.
        millrace.log.format|string|auto|read-only|[auto, text, json]|low
          Form of log lines; auto is text on a terminal and JSON elsewhere.
        millrace.fetch.verify|boolean|false|read-only|-|medium
          Whether each fetch checks the CRC of what it sends.
        millrace.metrics.topics|list||read-only|-|low
          Topics whose partitions have metrics of their own.
        millrace.ssl.certificate.file|string|null|read-only|-|high
          A PEM file with the certificate chain, leaf first; watched, and taken up when it
          changes.
        millrace.ssl.key.file|string|null|read-only|-|high
          A PEM file with the private key of millrace.ssl.certificate.file.
        millrace.ssl.ca.file|string|null|read-only|-|high
          A PEM file with the authorities that clients' certificates are checked against.
        millrace.connection.unsent.max.bytes|int|8388608|read-only|[65536,...]|medium
          Unsent bytes of one connection above which no more of its requests are read.
        millrace.request.decoded.max.bytes|int|134217728|read-only|[1048576,...]|low
          What the lists of one request may take in memory; a request that needs more closes its
          connection.
        millrace.batch.inflated.max.bytes|int|67108864|read-only|[1048576,...,268435456]|low
          What one compressed batch of a producer may hold once it is inflated; one that holds
          more is refused with MESSAGE_TOO_LARGE.
        millrace.disk.threads|int|4|read-only|[1,...,64]|medium
          Threads that flush, delete and read what is not in memory.
        """#
}
