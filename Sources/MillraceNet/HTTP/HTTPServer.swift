/// A request, its path percent-decoded.
package struct HTTPRequest: Sendable {
    /// `GET`, `POST`, …
    package var method: String
    package var path: String
    /// Names and values in their order, percent-decoded.
    package var query: [(name: String, value: String)]
    package var body: [UInt8]
    package var peer: String

    package init(
        method: String, path: String, query: [(name: String, value: String)] = [],
        body: [UInt8] = [], peer: String
    ) {
        (self.method, self.path, self.query, self.body, self.peer) =
            (method, path, query, body, peer)
    }

    /// The first value of a query's name.
    package func queryValue(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// An answer.
package struct HTTPResponse: Sendable {
    package var status: Int
    package var contentType: String
    package var body: [UInt8]
    package var headers: [(name: String, value: String)] = []

    package init(
        status: Int = 200, contentType: String = "text/plain; charset=utf-8", body: [UInt8]
    ) {
        (self.status, self.contentType, self.body) = (status, contentType, body)
    }

    package init(
        status: Int = 200, contentType: String = "text/plain; charset=utf-8", text: String
    ) {
        self.init(status: status, contentType: contentType, body: Array(text.utf8))
    }
}

/// The node's HTTP server: libevent's evhttp on a thread of its own, so that no request waits for a
/// shard nor a shard for a request. The handler runs on that thread.
package final class HTTPServer: Sendable {
    package typealias Handler = @Sendable (HTTPRequest) -> HTTPResponse
    /// The port it listens on.
    package let port: UInt16

    /// Binds and serves.
    /// - Parameter host: an address; empty for all.
    package init(
        host: String, port: UInt16, tls: TLSContextHolder? = nil, bodyBytesMax: Int = 1024 * 1024,
        handler: @escaping Handler
    ) throws(NetError) { self.port = port }

    /// Stops serving and waits for the thread.
    package func stop() {}
}
