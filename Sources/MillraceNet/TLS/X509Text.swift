internal import CMillraceTLS

/// Names of certificates as text.
enum X509Text {
    /// A distinguished name as RFC 2253 writes it: `CN=a,O=b`.
    static func name(_ name: OpaquePointer?) -> String {
        guard let name, let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        // UTF-8 stays as it is.
        guard X509_NAME_print_ex(bio, name, 0, millrace_x509_name_flags()) >= 0 else { return "" }
        return text(of: bio)
    }

    static func text(of bio: OpaquePointer) -> String {
        String(decoding: bytes(of: bio), as: UTF8.self)
    }

    /// A copy of what a memory BIO holds.
    static func bytes(of bio: OpaquePointer) -> [UInt8] {
        var start: UnsafePointer<CChar>?
        let count = millrace_bio_bytes(bio, &start)
        guard count > 0, let start else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }
}
