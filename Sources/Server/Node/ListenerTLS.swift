internal import Broker
internal import MillraceNet

// From the settings' words for TLS to the network's.

extension MillraceNet.PEMSource {
    fileprivate init(_ source: Broker.PEMSource) {
        switch source {
        case .file(let path): self = .file(path)
        case .text(let text): self = .inline(text)
        }
    }
}

extension MillraceNet.TLSSettings {
    /// TLS of a listener.
    init(_ settings: Broker.TLSSettings) {
        self.init()
        certificateChain = MillraceNet.PEMSource(settings.certificateChain)
        key = MillraceNet.PEMSource(settings.privateKey)
        keyPassword = settings.keyPassword
        trusted = settings.authorities.map { MillraceNet.PEMSource($0) }
        switch settings.clientAuthentication {
        case .none: clientAuth = .none
        case .requested: clientAuth = .requested
        case .required: clientAuth = .required
        }
        let named = settings.protocols.compactMap { Version(rawValue: $0) }
        if !named.isEmpty { versions = Set(named) }
        cipherSuites = settings.cipherSuites
    }
}
