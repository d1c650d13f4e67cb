/// What of the network follows the cluster's metadata while the node runs.
package struct DynamicNetwork: Sendable, Equatable {
    package var limits: ConnectionLimits
    /// By listener, of those that have TLS.
    package var tls: [String: TLSSettings] = [:]

    /// - Throws: if what is set cannot be: it was stored under other rules.
    init(_ view: BrokerConfigView, _ listeners: [ListenerSettings]) throws(ConfigError) {
        limits = try ConnectionLimits(view.value)
        for listener in listeners where !listener.isController {
            tls[listener.name] = try TLSSettings.of(listener.name, listener.securityProtocol) {
                view.value($0, listener: listener.name)
            }
        }
    }
}
