internal import CMillraceTLS
internal import MillraceBase

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
    /// `EC 256`, `RSA 2048`.
    package var keyAlgorithm: String

    /// Reads the certificates of a PEM text, in their order.
    package static func read(pem: [UInt8]) throws(NetError) -> [CertificateDescription] {
        let found = try PEM.certificates(PEM.normalized(pem), "the text")
        defer { for certificate in found { X509_free(certificate) } }
        return found.map { CertificateDescription($0) }
    }

    /// Reads the certificates of a PEM file.
    package static func read(path: String) throws(NetError) -> [CertificateDescription] {
        try read(pem: PEM.read(.file(path), "the certificate file"))
    }

    /// The times of validity as RFC 3339 writes them.
    package var validFrom: String { UTCText.of(seconds: notBefore) }
    package var validUntil: String { UTCText.of(seconds: notAfter) }

    /// Those of `names` (host names or addresses) that this certificate does not stand for. As
    /// clients do, the common name is not looked at.
    package func namesNotCovered(of names: [String]) -> [String] {
        let addresses = Set(ipAddresses.compactMap { IPAddress($0) })
        return names.filter { name in
            if let ip = IPAddress(name) { return !addresses.contains(ip) }
            return !dnsNames.contains { Self.pattern($0, covers: name) }
        }
    }

    /// RFC 6125: a wildcard stands for one whole label, the first.
    private static func pattern(_ pattern: String, covers name: String) -> Bool {
        let (pattern, name) = (pattern.lowercased(), name.lowercased())
        guard pattern.hasPrefix("*.") else { return pattern == name }
        guard let dot = name.firstIndex(of: "."), dot != name.startIndex else { return false }
        return name[dot...] == pattern.dropFirst()
    }

    /// - Parameter certificate: an `X509`, which stays the caller's.
    init(_ certificate: OpaquePointer) {
        subject = X509Text.name(X509_get_subject_name(certificate))
        issuer = X509Text.name(X509_get_issuer_name(certificate))
        notBefore = millrace_asn1_seconds(X509_get0_notBefore(certificate))
        notAfter = millrace_asn1_seconds(X509_get0_notAfter(certificate))
        isAuthority = X509_check_ca(certificate) > 0
        serialNumber = Self.serialNumber(of: certificate)
        keyAlgorithm = Self.keyAlgorithm(of: certificate)
        (dnsNames, ipAddresses) = Self.names(of: certificate)
    }

    private static func serialNumber(of certificate: OpaquePointer) -> String {
        guard let number = ASN1_INTEGER_to_BN(X509_get_serialNumber(certificate), nil) else {
            return ""
        }
        defer { BN_free(number) }
        var bytes = [UInt8](repeating: 0, count: Int(BN_num_bits(number) + 7) / 8)
        BN_bn2bin(number, &bytes)
        return bytes.map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }

    private static func keyAlgorithm(of certificate: OpaquePointer) -> String {
        guard let key = X509_get0_pubkey(certificate) else { return "unknown" }
        let name = EVP_PKEY_get0_type_name(key).map { String(cString: $0) } ?? "unknown"
        return "\(name) \(EVP_PKEY_get_bits(key))"
    }

    private static func names(of certificate: OpaquePointer) -> (dns: [String], ip: [String]) {
        guard let names = millrace_x509_names(certificate) else { return ([], []) }
        defer { millrace_x509_names_free(names) }
        var dns: [String] = []
        var ip: [String] = []
        var index: Int32 = 0
        while true {
            var start: UnsafePointer<UInt8>?
            var count: Int32 = 0
            let kind = millrace_x509_name_at(names, index, &start, &count)
            guard kind >= 0 else { return (dns, ip) }
            index += 1
            let bytes = UnsafeBufferPointer(start: start, count: Int(count))
            switch (kind, bytes.count) {
            case (GEN_DNS, _): dns.append(String(decoding: bytes, as: UTF8.self))
            case (GEN_IPADD, 4), (GEN_IPADD, 16):
                let number = { (range: Range<Int>) in
                    bytes[range].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                }
                let address =
                    bytes.count == 4
                    ? IPAddress(high: 0, low: number(0..<4), isIPv4: true)
                    : IPAddress(high: number(0..<8), low: number(8..<16), isIPv4: false)
                ip.append("\(address)")
            default: break
            }
        }
    }
}
