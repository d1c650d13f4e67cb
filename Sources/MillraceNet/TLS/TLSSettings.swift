/// Where a PEM text comes from.
package enum PEMSource: Sendable, Hashable {
    case file(String)
    case inline(String)
}

/// TLS of a listener or a client, as its settings say.
package struct TLSSettings: Sendable, Hashable {
    /// `ssl.client.auth`.
    package enum ClientAuth: String, Sendable {
        case none, requested, required
    }
    /// A protocol of `ssl.enabled.protocols`.
    package enum Version: String, Sendable, CaseIterable {
        case tls12 = "TLSv1.2"
        case tls13 = "TLSv1.3"
    }

    /// The certificate chain, leaf first. With `ssl.keystore.location` the same file as `key`.
    package var certificateChain: PEMSource?
    package var key: PEMSource?
    /// `ssl.key.password`.
    package var keyPassword: String?
    /// Certificates to trust: of clients for a server, of servers for a client (nil: the system's).
    package var trusted: PEMSource?
    package var clientAuth: ClientAuth = .none
    package var versions: Set<Version> = [.tls12, .tls13]
    /// `ssl.cipher.suites`, in Java's (IANA) or OpenSSL's names; empty for OpenSSL's choice.
    package var cipherSuites: [String] = []
    /// A client compares the server's certificate with the name that it connects to
    /// (`ssl.endpoint.identification.algorithm=https`).
    package var verifiesHostname = true
    /// A client that takes any certificate: for tests and `doctor` only.
    package var verifiesPeer = true

    package init() {}
}
