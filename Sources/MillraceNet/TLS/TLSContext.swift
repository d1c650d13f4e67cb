internal import CMillraceTLS
internal import Glibc

/// Certificates, keys and rules of TLS, ready for connections. Immutable and shared by all loops.
///
/// Unchecked: an `SSL_CTX` counts its references atomically and locks what it changes by itself
/// (ticket keys, the certificate store's cache); we change nothing after the initialiser, and
/// `SSL_new` is documented as safe from several threads.
package final class TLSContext: @unchecked Sendable {
    package enum Role: Sendable { case server, client }

    let pointer: OpaquePointer
    let role: Role
    let verifiesHostname: Bool
    /// What our own certificate says; nil for a client without one.
    package let certificate: CertificateDescription?

    /// Reads certificates and keys and checks that they fit, are valid now, and can be used.
    package init(_ settings: TLSSettings, role: Role) throws(NetError) {
        let method = role == .server ? TLS_server_method() : TLS_client_method()
        guard let pointer = SSL_CTX_new(method) else {
            throw .tls("libssl makes no context: \(TLSErrors.take())")
        }
        do {
            millrace_tls_context_defaults(pointer)
            try Self.setProtocols(pointer, settings)
            certificate = try Self.setIdentity(pointer, settings, role)
            try Self.setTrust(pointer, settings, role)
        } catch {
            SSL_CTX_free(pointer)
            throw error
        }
        self.pointer = pointer
        self.role = role
        verifiesHostname = settings.verifiesHostname && settings.verifiesPeer
    }

    deinit { SSL_CTX_free(pointer) }

    // MARK: protocols

    private static func setProtocols(
        _ pointer: OpaquePointer, _ settings: TLSSettings
    ) throws(NetError) {
        var versions = settings.versions
        if !settings.cipherSuites.isEmpty {
            let suites = try setSuites(pointer, settings.cipherSuites)
            if !suites.tls13 { versions.remove(.tls13) }
            if !suites.tls12 { versions.remove(.tls12) }
        }
        guard !versions.isEmpty else {
            throw .tls("ssl.enabled.protocols and ssl.cipher.suites leave no protocol")
        }
        let lowest = versions.contains(.tls12) ? TLS1_2_VERSION : TLS1_3_VERSION
        let highest = versions.contains(.tls13) ? TLS1_3_VERSION : TLS1_2_VERSION
        guard millrace_tls_set_versions(pointer, lowest, highest) == 1 else {
            throw .tls("ssl.enabled.protocols: \(TLSErrors.take())")
        }
    }

    /// Suites of TLS 1.3 are set apart from the others; names may be IANA's or OpenSSL's.
    private static func setSuites(
        _ pointer: OpaquePointer, _ names: [String]
    ) throws(NetError) -> (tls12: Bool, tls13: Bool) {
        var new: [String] = []
        var old: [String] = []
        for name in names {
            if name.hasPrefix("TLS_"), !name.contains("_WITH_") {
                new.append(name)
                continue
            }
            let converted = OPENSSL_cipher_name(name).map { String(cString: $0) }
            old.append(converted == nil || converted == "(NONE)" ? name : converted ?? name)
        }
        if !new.isEmpty, SSL_CTX_set_ciphersuites(pointer, new.joined(separator: ":")) != 1 {
            throw .tls(
                "ssl.cipher.suites: none of \(new.joined(separator: ", ")) is known to OpenSSL")
        }
        if !old.isEmpty, SSL_CTX_set_cipher_list(pointer, old.joined(separator: ":")) != 1 {
            throw .tls(
                "ssl.cipher.suites: none of \(old.joined(separator: ", ")) is known to OpenSSL")
        }
        return (!old.isEmpty, !new.isEmpty)
    }

    // MARK: our certificate

    private static func setIdentity(
        _ pointer: OpaquePointer, _ settings: TLSSettings, _ role: Role
    ) throws(NetError) -> CertificateDescription? {
        guard let chainSource = settings.certificateChain else {
            guard role == .client, settings.key == nil else {
                throw .tls("TLS needs a certificate: set ssl.keystore.location and its type PEM")
            }
            return nil
        }
        guard let keySource = settings.key else {
            throw .tls("TLS needs the private key of its certificate")
        }
        let what = "the certificate file \(PEM.describe(chainSource))"
        let chain = try PEM.certificates(try PEM.read(chainSource, "the certificate file"), what)
        defer { for certificate in chain { X509_free(certificate) } }
        guard let leaf = chain.first else { throw .tls("\(what) holds no certificate") }
        let key = try PEM.key(
            try PEM.read(keySource, "the key file"), password: settings.keyPassword,
            PEM.describe(keySource))
        defer { EVP_PKEY_free(key) }
        let description = CertificateDescription(leaf)
        guard X509_check_private_key(leaf, key) == 1 else {
            ERR_clear_error()
            throw .tls(
                "the private key in \(PEM.describe(keySource)) does not belong to the certificate "
                    + "\(description.subject) in \(PEM.describe(chainSource))")
        }
        try checkValidity(description, PEM.describe(chainSource))
        guard SSL_CTX_use_certificate(pointer, leaf) == 1,
            SSL_CTX_use_PrivateKey(pointer, key) == 1
        else { throw .tls("\(what) cannot be used: \(TLSErrors.take())") }
        for certificate in chain.dropFirst() {
            guard millrace_tls_add_chain_certificate(pointer, certificate) == 1 else {
                throw .tls("the chain in \(what) cannot be used: \(TLSErrors.take())")
            }
        }
        return description
    }

    private static func checkValidity(
        _ certificate: CertificateDescription, _ what: String
    ) throws(NetError) {
        let now = Int64(time(nil))
        if certificate.notAfter < now {
            let expired = UTCText.of(seconds: certificate.notAfter)
            throw .tls("the certificate \(certificate.subject) in \(what) expired at \(expired)")
        }
        if certificate.notBefore > now {
            let begins = UTCText.of(seconds: certificate.notBefore)
            throw .tls(
                "the certificate \(certificate.subject) in \(what) is not valid before \(begins)")
        }
    }

    // MARK: whom we trust

    private static func setTrust(
        _ pointer: OpaquePointer, _ settings: TLSSettings, _ role: Role
    ) throws(NetError) {
        var mode = SSL_VERIFY_NONE
        switch role {
        case .client: if settings.verifiesPeer { mode = SSL_VERIFY_PEER }
        case .server:
            switch settings.clientAuth {
            case .none: break
            case .requested: mode = SSL_VERIFY_PEER
            case .required: mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            }
        }
        SSL_CTX_set_verify(pointer, mode, nil)
        // Sessions of one listener are not resumed at another with other rules.
        var sessionContext: [UInt8] = Array("millrace".utf8)
        _ = SSL_CTX_set_session_id_context(pointer, &sessionContext, 8)
        guard let source = settings.trusted else {
            guard role == .client || mode == SSL_VERIFY_NONE else {
                throw .tls("ssl.client.auth=\(settings.clientAuth.rawValue) needs a trust store")
            }
            if role == .client { SSL_CTX_set_default_verify_paths(pointer) }
            return
        }
        let what = "the trust store \(PEM.describe(source))"
        let trusted = try PEM.certificates(try PEM.read(source, "the trust store"), what)
        defer { for certificate in trusted { X509_free(certificate) } }
        guard !trusted.isEmpty else { throw .tls("\(what) holds no certificate") }
        let store = SSL_CTX_get_cert_store(pointer)
        // As in Java, each certificate of the store is trusted, not only roots.
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        for certificate in trusted {
            guard X509_STORE_add_cert(store, certificate) == 1 else {
                throw .tls("\(what) cannot be used: \(TLSErrors.take())")
            }
            if role == .server, mode != SSL_VERIFY_NONE {
                SSL_CTX_add_client_CA(pointer, certificate)
            }
        }
    }
}
