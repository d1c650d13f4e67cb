package import MillraceClientCore
package import MillraceNet

/// A broker's host and port as text names it.
package struct BrokerAddress: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    package var port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `[::1]:port`; the port is 9092 if there is none.
    package init?(_ text: Substring) {
        guard let colon = text.lastIndex(of: ":"), text.last != "]" else {
            guard !text.isEmpty else { return nil }
            self.init(host: Self.bare(text), port: 9092)
            return
        }
        guard let port = UInt16(text[text.index(after: colon)...]), colon > text.startIndex else {
            return nil
        }
        self.init(host: Self.bare(text[..<colon]), port: port)
    }

    private static func bare(_ host: Substring) -> String {
        host.hasPrefix("[") && host.hasSuffix("]")
            ? String(host.dropFirst().dropLast()) : String(host)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Where a cluster is and how a client speaks to it.
package struct ClientSettings: Sendable {
    package var bootstrap: [BrokerAddress]
    /// Nil for plain text.
    package var tls: TLSSettings?
    package var clientID = "millrace"
    /// From a request to its answer, what the broker may hold it back not counted.
    package var requestTimeout: Duration = .seconds(30)
    /// For look-up, connecting and handshake.
    package var connectTimeout: Duration = .seconds(10)

    /// - Parameter servers: `host:port[,…]`.
    package init(bootstrap servers: String) throws(ClientError) {
        bootstrap = []
        for text in servers.split(separator: ",") {
            let words = text.split(separator: " ")
            guard words.count == 1, let address = BrokerAddress(words[0]) else {
                throw .settings("'\(text)' is no host:port")
            }
            bootstrap.append(address)
        }
        guard !bootstrap.isEmpty else { throw .settings("no bootstrap server is given") }
    }

    /// Asks for TLS with these PEM files.
    /// - Parameters:
    ///   - authority: certificates to trust; nil: the system's.
    ///   - certificate: with `key`, where the broker asks for the client's.
    package mutating func useTLS(
        authority: String? = nil, certificate: String? = nil, key: String? = nil
    ) {
        var settings = TLSSettings()
        settings.trusted = authority.map { .file($0) }
        settings.certificateChain = certificate.map { .file($0) }
        settings.key = key.map { .file($0) }
        tls = settings
    }
}
