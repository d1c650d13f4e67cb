/// What of the network follows the cluster's metadata while the node runs.
package struct DynamicNetwork: Sendable, Equatable {
    package var limits: ConnectionLimits
    /// By listener, of those that have TLS.
    package var tls: [String: TLSSettings] = [:]

    /// - Throws: if what is set cannot be: it was stored under other rules.
    init(_ view: BrokerConfigView, _ listeners: [ListenerSettings]) throws(ConfigError) {
        limits = try ConnectionLimits(view.value)
        for listener in listeners where !listener.isController {
            tls[listener.name] = try view.tls(of: listener)
        }
    }
}

/// Whether this broker can use what a change of its settings makes of its certificates.
package struct CertificateCheck {
    let view: BrokerConfigView
    let listeners: [ListenerSettings]
    /// Why settings cannot be used; nil if they can. It reads the files that they name.
    let problem: @Sendable (TLSSettings) -> String?

    package init(
        view: BrokerConfigView, listeners: [ListenerSettings],
        problem: @escaping @Sendable (TLSSettings) -> String?
    ) {
        (self.view, self.listeners, self.problem) = (view, listeners, problem)
    }

    /// Looks at the listeners whose TLS a change makes another.
    /// - Parameter change: of the broker's own dynamic settings.
    /// - Returns: why it cannot be made; nil if it can, as far as certificates go.
    func refusal(after change: (inout [String: String]) -> Void) -> String? {
        var values = view.ofBroker
        change(&values)
        let changed = BrokerConfigView(
            fixed: view.fixed, ofBroker: values, ofAllBrokers: view.ofAllBrokers)
        for listener in listeners where listener.securityProtocol == .ssl {
            // nil: what is stored cannot be used; it was taken under other rules.
            let before = try? view.tls(of: listener)
            do throws(ConfigError) {
                guard let tls = try changed.tls(of: listener), tls != before,
                    let problem = problem(tls)
                else { continue }
                return "Validation of dynamic config update failed: "
                    + "listener \(listener.name): \(problem)"
            } catch {
                // Then it must not stand in the way of other settings.
                guard before != nil else { continue }
                return "Validation of dynamic config update failed: \(error.description)"
            }
        }
        return nil
    }
}

extension BrokerConfigView {
    /// TLS of a listener by the settings in force; nil where its protocol has none.
    fileprivate func tls(of listener: ListenerSettings) throws(ConfigError) -> TLSSettings? {
        try TLSSettings.of(listener.name, listener.securityProtocol) {
            value($0, listener: listener.name)
        }
    }
}
