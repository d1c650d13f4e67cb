internal import CMillraceTLS
internal import Glibc

/// A development certificate authority: P-256 keys, SHA-256. Its key lies unencrypted in a file of
/// mode 0600, which is right for a laptop or a laboratory, not for an organisation.
package final class CertificateAuthority {
    /// A certificate with its key, as PEM.
    package struct Issued: Sendable {
        /// Leaf first, then the authority.
        package var certificateChain: [UInt8]
        /// PKCS #8, unencrypted.
        package var key: [UInt8]
    }

    /// What a certificate is for.
    package enum Usage: Sendable {
        case server, client, both

        fileprivate var extendedKeyUsage: String {
            switch self {
            case .server: "serverAuth"
            case .client: "clientAuth"
            case .both: "serverAuth,clientAuth"
            }
        }
    }

    /// The names of the files of a directory.
    package static let certificateFile = "ca.crt"
    package static let keyFile = "ca.key"

    /// The authority's certificate as PEM.
    package let certificate: [UInt8]
    private let own: OpaquePointer
    private let key: OpaquePointer

    /// Makes a new authority, valid from an hour ago (clocks differ).
    package init(commonName: String, days: Int) throws(NetError) {
        let now = Int64(time(nil))
        let key = try Self.newKey()
        do {
            own = try Self.build(
                subject: commonName, key: key, issuer: nil, signer: key,
                notBefore: now - 3600, notAfter: now + Int64(days) * 86400,
                extensions: [
                    (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
                    (NID_key_usage, "critical,keyCertSign,cRLSign"),
                    (NID_subject_key_identifier, "hash"),
                ])
        } catch {
            EVP_PKEY_free(key)
            throw error
        }
        self.key = key
        certificate = Self.pem(certificate: own)
    }

    /// Reads one that was made before: `ca.crt` and `ca.key` of a directory.
    package init(directory: String) throws(NetError) {
        let path = "\(directory)/\(Self.certificateFile)"
        let keyPath = "\(directory)/\(Self.keyFile)"
        let pem = try PEM.read(.file(path), "the authority's certificate")
        let found = try PEM.certificates(pem, path)
        for extra in found.dropFirst() { X509_free(extra) }
        guard let own = found.first else { throw .tls("\(path) holds no certificate") }
        let key: OpaquePointer
        do {
            let text = try PEM.read(.file(keyPath), "the authority's key")
            key = try PEM.key(text, password: nil, keyPath)
        } catch {
            X509_free(own)
            throw error
        }
        (self.own, self.key) = (own, key)
        certificate = Self.pem(certificate: own)
        guard X509_check_private_key(own, key) == 1 else {
            ERR_clear_error()
            throw .tls("\(keyPath) does not belong to \(path)")
        }
    }

    deinit {
        X509_free(own)
        EVP_PKEY_free(key)
    }

    /// Writes `ca.crt` and `ca.key` (mode 0600). Never overwrites an authority.
    package func write(to directory: String) throws(NetError) {
        for name in [Self.certificateFile, Self.keyFile]
        where access("\(directory)/\(name)", F_OK) == 0 {
            throw .tls("\(directory)/\(name) is there already")
        }
        try PEMFile.write(Self.pem(key: key), to: "\(directory)/\(Self.keyFile)", mode: 0o600)
        try PEMFile.write(certificate, to: "\(directory)/\(Self.certificateFile)", mode: 0o644)
    }

    /// Issues a certificate with a new key.
    /// - Parameters:
    ///   - names: host names and addresses it stands for.
    ///   - notBefore: seconds since 1970.
    ///   - notAfter: seconds since 1970; may lie in the past, for tests.
    package func issue(
        commonName: String, names: [String], usage: Usage, notBefore: Int64, notAfter: Int64
    ) throws(NetError) -> Issued {
        var extensions: [(Int32, String)] = [
            (NID_basic_constraints, "critical,CA:FALSE"),
            (NID_key_usage, "critical,digitalSignature"),
            (NID_ext_key_usage, usage.extendedKeyUsage),
            (NID_subject_key_identifier, "hash"),
            (NID_authority_key_identifier, "keyid"),
        ]
        if !names.isEmpty {
            extensions.append((NID_subject_alt_name, try Self.alternativeNames(names)))
        }
        let newKey = try Self.newKey()
        defer { EVP_PKEY_free(newKey) }
        let leaf = try Self.build(
            subject: commonName, key: newKey, issuer: own, signer: key, notBefore: notBefore,
            notAfter: notAfter, extensions: extensions)
        defer { X509_free(leaf) }
        return Issued(
            certificateChain: Self.pem(certificate: leaf) + certificate,
            key: Self.pem(key: newKey))
    }

    /// Issues a certificate that is valid for so many days.
    /// - Parameter first: when it begins to be valid, in days from now, which may be negative; nil
    ///   is an hour ago (clocks differ).
    package func issue(
        commonName: String, names: [String], usage: Usage, days: Int, from first: Int? = nil
    ) throws(NetError) -> Issued {
        let now = Int64(time(nil))
        let begin = now + Int64(first ?? 0) * 86400
        return try issue(
            commonName: commonName, names: names, usage: usage,
            notBefore: first == nil ? now - 3600 : begin, notAfter: begin + Int64(days) * 86400)
    }

    // MARK: X.509

    /// The names in OpenSSL's syntax, which has its own meaning for some characters.
    private static func alternativeNames(_ names: [String]) throws(NetError) -> String {
        var list: [String] = []
        for name in names {
            if let ip = IPAddress(name) {
                list.append("IP:\(ip)")
                continue
            }
            guard isHost(name) else {
                throw .tls("\"\(name)\" is neither a host name nor an address")
            }
            list.append("DNS:\(name)")
        }
        return list.joined(separator: ",")
    }

    /// Whether a certificate can stand for this: a host name, perhaps with a wildcard, or an
    /// address.
    package static func isHost(_ name: String) -> Bool {
        if IPAddress(name) != nil { return true }
        return !name.isEmpty && name.utf8.count <= 253
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "*"):
                    true
                default: false
                }
            }
    }

    private static func newKey() throws(NetError) -> OpaquePointer {
        guard let key = millrace_new_p256_key() else {
            throw .tls("no key can be made: \(TLSErrors.take())")
        }
        return key
    }

    private static func build(
        subject: String, key: OpaquePointer, issuer: OpaquePointer?, signer: OpaquePointer,
        notBefore: Int64, notAfter: Int64, extensions: [(Int32, String)]
    ) throws(NetError) -> OpaquePointer {
        guard let certificate = X509_new() else { throw .tls("no memory for a certificate") }
        ERR_clear_error()
        var serial = [UInt8](repeating: 0, count: 16)
        var isDone =
            X509_set_version(certificate, 2) == 1 && RAND_bytes(&serial, 16) == 1
            && notAfter > notBefore
        serial[0] = serial[0] & 0x7F | 0x40  // positive, and always sixteen bytes
        if let number = BN_bin2bn(serial, 16, nil) {
            _ = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate))
            BN_free(number)
        }
        isDone =
            isDone && ASN1_TIME_set(X509_getm_notBefore(certificate), Int(notBefore)) != nil
            && ASN1_TIME_set(X509_getm_notAfter(certificate), Int(notAfter)) != nil
            && X509_set_pubkey(certificate, key) == 1
        let name = X509_get_subject_name(certificate)
        let text = Array(subject.utf8)
        isDone =
            isDone
            && X509_NAME_add_entry_by_txt(
                name, "CN", MBSTRING_UTF8, text, Int32(clamping: text.count), -1, 0) == 1
            && X509_set_issuer_name(
                certificate, issuer.map { X509_get_subject_name($0) } ?? name) == 1
        for (identifier, value) in extensions where isDone {
            isDone =
                millrace_x509_add_extension(
                    certificate, issuer ?? certificate, identifier, value) == 1
        }
        guard isDone, X509_sign(certificate, signer, EVP_sha256()) > 0 else {
            X509_free(certificate)
            throw .tls("a certificate for \(subject) cannot be made: \(TLSErrors.take())")
        }
        return certificate
    }

    private static func pem(certificate: OpaquePointer) -> [UInt8] {
        guard let bio = BIO_new(BIO_s_mem()) else { return [] }
        defer { BIO_free(bio) }
        PEM_write_bio_X509(bio, certificate)
        return X509Text.bytes(of: bio)
    }

    private static func pem(key: OpaquePointer) -> [UInt8] {
        guard let bio = BIO_new(BIO_s_mem()) else { return [] }
        defer { BIO_free(bio) }
        PEM_write_bio_PKCS8PrivateKey(bio, key, nil, nil, 0, nil, nil)
        return X509Text.bytes(of: bio)
    }
}

extension CertificateAuthority.Issued {
    /// Writes `NAME.crt` and `NAME.key` (mode 0600); each appears whole or not at all.
    package func write(to directory: String, name: String = "node") throws(NetError) {
        try PEMFile.write(key, to: "\(directory)/\(name).key", mode: 0o600)
        try PEMFile.write(certificateChain, to: "\(directory)/\(name).crt", mode: 0o644)
    }
}

/// Files of certificates and keys.
enum PEMFile {
    /// Writes through a temporary file and a rename, so that who watches never sees a half.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(NetError) {
        let temporary = "\(path).new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            throw .tls("cannot write \(path): \(NetError.text(of: errno))")
        }
        var code: Int32 = fchmod(descriptor, mode) == 0 ? 0 : errno
        var done = 0
        while code == 0, done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done)
            }
            if count > 0 { done += count } else if errno != EINTR { code = errno }
        }
        if close(descriptor) != 0, code == 0 { code = errno }
        if code == 0, rename(temporary, path) != 0 { code = errno }
        guard code == 0 else {
            unlink(temporary)
            throw .tls("cannot write \(path): \(NetError.text(of: code))")
        }
    }
}
