/// How the bytes of a listener travel.
package enum SecurityProtocol: String, Sendable, CaseIterable {
    case plaintext = "PLAINTEXT"
    case ssl = "SSL"
    case saslPlaintext = "SASL_PLAINTEXT"
    case saslSSL = "SASL_SSL"

    /// Kafka's number for it, in broker registrations.
    package var code: Int16 {
        switch self {
        case .plaintext: 0
        case .ssl: 1
        case .saslPlaintext: 2
        case .saslSSL: 3
        }
    }
}

/// A place to find something in PEM.
package enum PEMSource: Sendable, Equatable {
    case file(String)
    case text(String)
}

/// TLS of one listener.
package struct TLSSettings: Sendable, Equatable {
    /// Whether a client shows a certificate.
    package enum ClientAuthentication: String, Sendable {
        case none, requested, required
    }
    /// Leaf first, whole chain; may be the same file as `privateKey`.
    package var certificateChain: PEMSource
    package var privateKey: PEMSource
    package var keyPassword: String?
    /// What clients' certificates are checked against; nil: the system's authorities.
    package var authorities: PEMSource?
    package var clientAuthentication: ClientAuthentication
    /// `TLSv1.2`, `TLSv1.3`.
    package var protocols: [String]
    /// Empty: the library's.
    package var cipherSuites: [String]
}

/// One entry of `listeners`.
package struct ListenerSettings: Sendable, Equatable {
    package var name: String
    package var securityProtocol: SecurityProtocol
    /// Without brackets; empty: all addresses of both families.
    package var host: String
    /// 0: a free one, chosen by the system.
    package var port: UInt16
    /// What clients are told; nil: found out when the socket is bound.
    package var advertisedHost: String?
    /// nil: the port that was bound.
    package var advertisedPort: UInt16?
    /// Whether it is one of `controller.listener.names`, which clients do not use.
    package var isController: Bool
    /// nil for a listener without TLS.
    package var tls: TLSSettings?
}

/// `NAME://host:port` as text.
struct Endpoint: Equatable {
    var name: String
    var host: String
    var port: UInt16

    /// Reads one endpoint; the host may be empty, an IPv6 address in brackets, or a name.
    init(_ text: String, key: String) throws(ConfigError) {
        guard let scheme = text.firstRange(of: "://") else {
            throw ConfigError("\(key): \(text) is not NAME://host:port")
        }
        name = text[..<scheme.lowerBound].uppercased()
        (host, port) = try Self.hostAndPort(String(text[scheme.upperBound...]), key: key)
        if name.isEmpty { throw ConfigError("\(key): \(text) has no listener name") }
    }

    /// `host:port`, `[v6]:port` or `:port`.
    static func hostAndPort(
        _ text: String, key: String
    ) throws(ConfigError) -> (host: String, port: UInt16) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { throw ConfigError("\(key): \(text) does not end in a port from 0 to 65535") }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw ConfigError("\(key): \(text): an IPv6 address stands in brackets, as [::1]:9092")
        }
        return (host, port)
    }
}

extension ListenerSettings {
    /// Whether no host is given: listening on all addresses.
    package var isWildcard: Bool { Self.isWildcard(host) }

    static func isWildcard(_ host: String) -> Bool { ["", "0.0.0.0", "::"].contains(host) }

    /// All listeners of a node, from `listeners`, `advertised.listeners`, the protocol map and the
    /// settings of TLS.
    static func all(of config: ServerConfig) throws(ConfigError) -> [ListenerSettings] {
        let protocols = try protocolMap(config)
        let controllers = Set(config.list("controller.listener.names").map { $0.uppercased() })
        var advertised: [String: Endpoint] = [:]
        for text in config.list("advertised.listeners") {
            let endpoint = try Endpoint(text, key: "advertised.listeners")
            if ["0.0.0.0", "::"].contains(endpoint.host) {
                throw ConfigError(
                    "advertised.listeners cannot use the nonroutable meta-address "
                        + "\(endpoint.host). Use a routable IP address.")
            }
            if advertised.updateValue(endpoint, forKey: endpoint.name) != nil {
                throw ConfigError("advertised.listeners: \(endpoint.name) stands there twice")
            }
        }
        var listeners: [ListenerSettings] = []
        for text in config.list("listeners") {
            let endpoint = try Endpoint(text, key: "listeners")
            guard let securityProtocol = protocols[endpoint.name] else {
                throw ConfigError(
                    "listeners: no security protocol defined for listener \(endpoint.name); "
                        + "listener.security.protocol.map names one")
            }
            let told = advertised.removeValue(forKey: endpoint.name)
            let ownHost = isWildcard(endpoint.host) ? nil : endpoint.host
            listeners.append(
                ListenerSettings(
                    name: endpoint.name, securityProtocol: securityProtocol, host: endpoint.host,
                    port: endpoint.port,
                    advertisedHost: told.map(\.host).flatMap { $0.isEmpty ? nil : $0 } ?? ownHost,
                    advertisedPort: told.map(\.port) ?? (endpoint.port == 0 ? nil : endpoint.port),
                    isController: controllers.contains(endpoint.name),
                    tls: try TLSSettings.of(endpoint.name, securityProtocol) {
                        config.value($0, listener: endpoint.name)
                    }))
        }
        if let left = advertised.keys.min() {
            throw ConfigError("advertised.listeners: \(left) is none of the listeners")
        }
        try checkDistinct(listeners)
        return listeners
    }

    private static func checkDistinct(_ listeners: [ListenerSettings]) throws(ConfigError) {
        var names: Set<String> = []
        var places: Set<String> = []
        for listener in listeners {
            if !names.insert(listener.name).inserted {
                throw ConfigError("listeners: each listener must have a different name")
            }
            let place = "\(listener.host) \(listener.port)"
            if listener.port != 0, !places.insert(place).inserted {
                throw ConfigError("listeners: each listener must have a different port")
            }
        }
        if !listeners.contains(where: { !$0.isController }) {
            throw ConfigError("listeners: there is none for clients")
        }
    }

    private static func protocolMap(
        _ config: ServerConfig
    ) throws(ConfigError) -> [String: SecurityProtocol] {
        let key = "listener.security.protocol.map"
        var map: [String: SecurityProtocol] = [:]
        for entry in (config.value(key)?.text ?? "").split(separator: ",") {
            let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
                .map { String($0).trimmed.uppercased() }
            guard parts.count == 2, let value = SecurityProtocol(rawValue: parts[1]) else {
                let known = SecurityProtocol.allCases.map(\.rawValue).joined(separator: ", ")
                throw ConfigError("\(key): \(entry) is not NAME:PROTOCOL, one of \(known)")
            }
            map[parts[0]] = value
        }
        return map
    }
}

extension TLSSettings {
    /// TLS of a listener, nil where its protocol has none.
    static func of(
        _ listener: String, _ securityProtocol: SecurityProtocol,
        _ setting: (String) -> ConfigValue?
    ) throws(ConfigError) -> TLSSettings? {
        switch securityProtocol {
        case .plaintext: return nil
        case .saslPlaintext, .saslSSL:
            throw ConfigError(
                "listener \(listener): \(securityProtocol.rawValue) is not served by this version")
        case .ssl: break
        }
        func value(_ key: String) -> String? {
            let text = setting(key)?.text
            return text?.isEmpty == true ? nil : text
        }
        let (chain, key) = try certificate(listener, value)
        return TLSSettings(
            certificateChain: chain, privateKey: key, keyPassword: value("ssl.key.password"),
            authorities: try authorities(listener, value),
            clientAuthentication: value("ssl.client.auth").flatMap(ClientAuthentication.init)
                ?? .none,
            protocols: ConfigKey.elements(of: value("ssl.enabled.protocols") ?? ""),
            cipherSuites: ConfigKey.elements(of: value("ssl.cipher.suites") ?? ""))
    }

    private static func certificate(
        _ listener: String, _ value: (String) -> String?
    ) throws(ConfigError) -> (chain: PEMSource, key: PEMSource) {
        if let file = value("millrace.ssl.certificate.file") {
            guard let key = value("millrace.ssl.key.file") else {
                throw ConfigError(
                    "listener \(listener): millrace.ssl.certificate.file wants "
                        + "millrace.ssl.key.file too")
            }
            return (.file(file), .file(key))
        }
        let type = value("ssl.keystore.type") ?? ""
        if let key = value("ssl.keystore.key"), let chain = value("ssl.keystore.certificate.chain")
        {
            try requirePEM(type, listener, "ssl.keystore.type")
            return (.text(chain), .text(key))
        }
        guard let location = value("ssl.keystore.location") else {
            throw ConfigError(
                "listener \(listener): TLS needs a certificate: set ssl.keystore.type=PEM and "
                    + "ssl.keystore.location, or millrace.ssl.certificate.file and "
                    + "millrace.ssl.key.file")
        }
        try requirePEM(type, listener, "ssl.keystore.type")
        return (.file(location), .file(location))
    }

    private static func authorities(
        _ listener: String, _ value: (String) -> String?
    ) throws(ConfigError) -> PEMSource? {
        if let file = value("millrace.ssl.ca.file") { return .file(file) }
        let found =
            value("ssl.truststore.certificates").map(PEMSource.text)
            ?? value("ssl.truststore.location").map(PEMSource.file)
        if found != nil {
            try requirePEM(value("ssl.truststore.type") ?? "", listener, "ssl.truststore.type")
        }
        return found
    }

    private static func requirePEM(
        _ type: String, _ listener: String, _ key: String
    ) throws(ConfigError) {
        if type.uppercased() == "PEM" { return }
        throw ConfigError("listener \(listener): \(key)=\(type) is not served: set it to PEM")
    }
}
