/// What a certificate says.
package struct CertificateDescription: Sendable, Equatable {
    /// As RFC 2253 writes it, `CN=a,O=b`.
    package var subject: String
    package var issuer: String
    package var dnsNames: [String]
    package var ipAddresses: [String]
    /// Seconds since 1970.
    package var notBefore: Int64
    package var notAfter: Int64
    package var isAuthority: Bool
    /// Hexadecimal, without colons.
    package var serialNumber: String
    package var keyAlgorithm: String

    /// Reads the certificates of a PEM text, in their order.
    package static func read(pem: [UInt8]) throws(NetError) -> [CertificateDescription] { [] }

    /// Those of `names` (host names or addresses) that this certificate does not stand for.
    package func namesNotCovered(of names: [String]) -> [String] { [] }
}

/// A development certificate authority: P-256 keys, SHA-256.
package struct CertificateAuthority: ~Copyable {
    /// A certificate with its key, as PEM.
    package struct Issued: Sendable {
        /// Leaf first, then the authority.
        package var certificateChain: [UInt8]
        package var key: [UInt8]
    }
    /// What a certificate is for.
    package enum Usage: Sendable { case server, client, both }

    /// The authority's certificate as PEM.
    package let certificate: [UInt8]

    /// Makes a new authority.
    package init(commonName: String, days: Int) throws(NetError) { certificate = [] }

    /// Reads one that was made before.
    package init(directory: String) throws(NetError) { certificate = [] }

    /// Writes `ca.crt` and `ca.key` (mode 0600). Never overwrites.
    package func write(to directory: String) throws(NetError) {}

    /// Issues a certificate with a new key.
    /// - Parameters:
    ///   - names: host names and addresses it stands for.
    ///   - notBefore, notAfter: seconds since 1970.
    package func issue(
        commonName: String, names: [String], usage: Usage, notBefore: Int64, notAfter: Int64
    ) throws(NetError) -> Issued { Issued(certificateChain: [], key: []) }
}

extension CertificateAuthority.Issued {
    /// Writes `NAME.crt` and `NAME.key` (mode 0600), through a temporary file and a rename.
    package func write(to directory: String, name: String = "node") throws(NetError) {}
}
