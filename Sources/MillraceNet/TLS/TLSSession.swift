internal import CMillraceTLS
internal import Glibc

/// TLS of one connection: an `SSL` whose BIO is the loop's buffers for ciphertext, so that bytes go
/// from the socket to libssl and back without a memory BIO between.
///
/// Owned by its connection; an operation reads from and writes to the loop's `millrace_tls_io`,
/// which the connection fills before and empties after.
final class TLSSession {
    enum Outcome {
        case bytes(Int)
        /// More ciphertext is needed.
        case wouldBlock
        /// The peer said that nothing more comes.
        case closed
        case failed(String)
    }

    enum Handshake {
        case wouldBlock
        case done
        case failed(String)
    }

    /// One kind of BIO for the process; it is only read after it was made.
    private nonisolated(unsafe) static let method = millrace_tls_bio_method()

    private let ssl: OpaquePointer

    /// - Parameters:
    ///   - serverName: for a client, the host or address that it connects to.
    init?(
        _ context: TLSContext, io: UnsafeMutablePointer<millrace_tls_io>, serverName: String?
    ) {
        guard let method = Self.method, let ssl = SSL_new(context.pointer) else { return nil }
        self.ssl = ssl
        guard let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, io)
        // The session owns the BIO; one reference serves both directions.
        SSL_set_bio(ssl, bio, bio)
        switch context.role {
        case .server: SSL_set_accept_state(ssl)
        case .client:
            SSL_set_connect_state(ssl)
            guard let serverName else { return }
            guard expect(serverName, verifies: context.verifiesHostname) else { return nil }
        }
    }

    deinit { SSL_free(ssl) }

    private func expect(_ name: String, verifies: Bool) -> Bool {
        if let ip = IPAddress(name) {
            // An address is never sent as a server name (RFC 6066).
            return !verifies || millrace_tls_expect_address(ssl, ip.description) == 1
        }
        guard millrace_tls_send_name(ssl, name) == 1 else { return false }
        return !verifies || millrace_tls_expect_name(ssl, name) == 1
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        ERR_clear_error()
        return outcome(SSL_read(ssl, buffer.baseAddress, Int32(clamping: buffer.count)))
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        ERR_clear_error()
        return outcome(SSL_write(ssl, bytes.baseAddress, Int32(clamping: bytes.count)))
    }

    private func outcome(_ result: Int32) -> Outcome {
        guard result <= 0 else { return .bytes(Int(result)) }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wouldBlock
        case SSL_ERROR_ZERO_RETURN: return .closed
        default: return .failed(TLSErrors.take())
        }
    }

    /// Goes on with the handshake.
    /// - Parameter drain: sends what libssl has made; whether all of it left.
    func handshake(_ drain: () -> Bool) -> Handshake {
        while true {
            ERR_clear_error()
            let result = SSL_do_handshake(ssl)
            let error = result == 1 ? 0 : SSL_get_error(ssl, result)
            let reason =
                error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL ? TLSErrors.take() : ""
            let drained = drain()
            switch error {
            case 0: return .done
            case SSL_ERROR_WANT_READ: return .wouldBlock
            case SSL_ERROR_WANT_WRITE:
                // A long certificate chain fills the buffer several times.
                guard drained else { return .wouldBlock }
            default: return .failed(reason)
            }
        }
    }

    /// Says to the peer that nothing more comes.
    func shutdown() {
        ERR_clear_error()
        _ = SSL_shutdown(ssl)
    }

    /// What was agreed on; after the handshake.
    func info() -> TLSInfo {
        TLSInfo(
            version: version, cipher: cipher ?? "", serverName: serverName,
            peerSubject: peerSubject(), resumed: SSL_session_reused(ssl) == 1)
    }

    /// What is known about a handshake that failed.
    func failure(peer: SocketAddress, reason: String) -> HandshakeFailure {
        let verified = SSL_get_verify_result(ssl)
        return HandshakeFailure(
            peer: "\(peer)", serverName: serverName, version: version, cipher: cipher,
            verifyError: verified == Int(X509_V_OK)
                ? nil : String(cString: X509_verify_cert_error_string(verified)),
            reason: reason)
    }

    private var version: String { String(cString: SSL_get_version(ssl)) }

    private var cipher: String? {
        guard let cipher = SSL_get_current_cipher(ssl) ?? SSL_get_pending_cipher(ssl) else {
            return nil
        }
        return String(cString: SSL_CIPHER_get_name(cipher))
    }

    private var serverName: String? {
        SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
    }

    private func peerSubject() -> String? {
        guard let certificate = SSL_get1_peer_certificate(ssl) else { return nil }
        defer { X509_free(certificate) }
        return X509Text.name(X509_get_subject_name(certificate))
    }
}

/// OpenSSL's errors of this thread as text.
enum TLSErrors {
    /// The first error's reason; empties the queue.
    static func take() -> String {
        let code = ERR_peek_error()
        defer { ERR_clear_error() }
        guard code != 0 else { return "the connection broke off" }
        guard let text = ERR_reason_error_string(code) else { return "error \(code)" }
        return String(cString: text)
    }
}
