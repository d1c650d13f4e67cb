/// Certificates, keys and rules of TLS, ready for connections. Immutable and shared by all loops.
package final class TLSContext: Sendable {
    package enum Role: Sendable { case server, client }
    /// What our own certificate says; nil for a client without one.
    package let certificate: CertificateDescription?

    /// Reads certificates and keys and checks that they fit, are valid now, and can be used.
    package init(_ settings: TLSSettings, role: Role) throws(NetError) { certificate = nil }
}

/// The TLS context for new connections, exchanged when its files change.
package final class TLSContextHolder: Sendable {
    package init(_ settings: TLSSettings, role: TLSContext.Role) throws(NetError) {
        current = try TLSContext(settings, role: role)
    }
    /// What new connections use.
    package let current: TLSContext
    /// The end of validity of the current certificate, in seconds since 1970, for metrics.
    package var certificateExpiry: Int64? { nil }

    /// What a look at the files found.
    package enum Reload: Sendable, Equatable {
        case unchanged
        case reloaded
        /// The old context stays; told once for each change of the files.
        case failed(NetError)
    }
    /// Looks whether the files have changed and takes them up. Listeners do this once a second.
    package func reloadIfChanged() -> Reload { .unchanged }
}
