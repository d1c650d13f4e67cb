internal import CMillraceTLS
internal import Glibc

/// PEM texts: where they come from, and what OpenSSL's reader does not take but Kafka does (base64
/// in one line, or broken at spaces, as it stands in a properties file).
enum PEM {
    /// More than any chain or trust store.
    static let bytesMax = 4 * 1024 * 1024

    static func read(_ source: PEMSource, _ what: String) throws(NetError) -> [UInt8] {
        switch source {
        case .inline(let text): return normalized(Array(text.utf8))
        case .file(let path):
            do { return normalized(try readFile(path)) } catch {
                guard case .system(_, let code) = error else { throw error }
                throw .tls("cannot read \(what) \(path): \(NetError.text(of: code))")
            }
        }
    }

    /// The name by which an error calls a source.
    static func describe(_ source: PEMSource) -> String {
        switch source {
        case .inline: "given in the settings"
        case .file(let path): path
        }
    }

    static func readFile(_ path: String) throws(NetError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count <= bytesMax {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system("read", errno) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: piece[..<count])
        }
        throw .tls("\(path) is larger than \(bytesMax) bytes")
    }

    /// Breaks the base64 of each block at 64 columns. Blocks with headers stay as they are.
    static func normalized(_ bytes: [UInt8]) -> [UInt8] {
        let dashes = Array("-----".utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 64)
        var index = 0
        while let begin = find(Array("-----BEGIN ".utf8), in: bytes, from: index),
            let bodyStart = find(dashes, in: bytes, from: begin + 11).map({ $0 + 5 }),
            let bodyEnd = find(Array("-----END ".utf8), in: bytes, from: bodyStart),
            let end = find(dashes, in: bytes, from: bodyEnd + 9).map({ $0 + 5 })
        {
            result.append(contentsOf: bytes[begin..<bodyStart])
            result.append(UInt8(ascii: "\n"))
            let body = bytes[bodyStart..<bodyEnd]
            if body.contains(UInt8(ascii: ":")) {
                result.append(contentsOf: body.drop { $0 <= 0x20 })
            } else {
                var column = 0
                for byte in body where byte > 0x20 {
                    result.append(byte)
                    column += 1
                    if column % 64 == 0 { result.append(UInt8(ascii: "\n")) }
                }
                if column % 64 != 0 { result.append(UInt8(ascii: "\n")) }
            }
            result.append(contentsOf: bytes[bodyEnd..<end])
            result.append(UInt8(ascii: "\n"))
            index = end
        }
        return result
    }

    private static func find(_ text: [UInt8], in bytes: [UInt8], from: Int) -> Int? {
        guard from <= bytes.count else { return nil }
        var index = from
        while index + text.count <= bytes.count {
            if bytes[index] == text[0], bytes[index..<index + text.count].elementsEqual(text) {
                return index
            }
            index += 1
        }
        return nil
    }

    /// The certificates of a text, in their order; the caller frees them.
    static func certificates(_ pem: [UInt8], _ what: String) throws(NetError) -> [OpaquePointer] {
        var found: [OpaquePointer] = []
        var failure: String?
        pem.withUnsafeBytes { bytes in
            guard let bio = millrace_pem_reader(bytes.baseAddress, Int32(clamping: bytes.count))
            else { return }
            defer { BIO_free(bio) }
            ERR_clear_error()
            while let certificate = millrace_pem_next_certificate(bio) {
                found.append(certificate)
            }
            if millrace_error_is_no_start_line(ERR_peek_last_error()) == 0 {
                failure = TLSErrors.take()
            }
            ERR_clear_error()
        }
        if let failure {
            for certificate in found { X509_free(certificate) }
            throw .tls("\(what) holds a certificate that cannot be read: \(failure)")
        }
        return found
    }

    /// The private key of a text; the caller frees it.
    static func key(
        _ pem: [UInt8], password: String?, _ what: String
    ) throws(NetError) -> OpaquePointer {
        // OpenSSL's decoders would only say "unsupported".
        guard find(Array("PRIVATE KEY-----".utf8), in: pem, from: 0) != nil else {
            throw .tls("\(what) holds no private key")
        }
        ERR_clear_error()
        let key = pem.withUnsafeBytes { bytes in
            let count = Int32(clamping: bytes.count)
            guard let password else { return millrace_pem_read_key(bytes.baseAddress, count, nil) }
            return millrace_pem_read_key(bytes.baseAddress, count, password)
        }
        if let key { return key }
        let encrypted = find(Array("ENCRYPTED".utf8), in: pem, from: 0) != nil
        let reason = TLSErrors.take()
        if encrypted, password == nil {
            throw .tls("the private key in \(what) is encrypted: set ssl.key.password")
        }
        if encrypted {
            throw .tls("ssl.key.password does not open the private key in \(what) (\(reason))")
        }
        throw .tls("the private key in \(what) cannot be read: \(reason)")
    }
}
