package import MillraceBase
package import MillraceNet

/// The pages of a node's HTTP port: health for supervisors, metrics for Prometheus. They hold no
/// secret and change nothing.
package struct NodePages: Sendable {
    private let health: NodeHealth
    private let registry: MetricsRegistry

    package init(health: NodeHealth, registry: MetricsRegistry) {
        (self.health, self.registry) = (health, registry)
    }

    /// Answers a request; on the HTTP thread.
    package func answer(_ request: HTTPRequest) -> HTTPResponse {
        guard request.method == "GET" || request.method == "HEAD" else {
            return HTTPResponse(status: 405, text: "only GET is served\n")
        }
        switch request.path {
        case "/livez": return status(health.isAlive, good: "alive", bad: "a loop hangs")
        case "/readyz": return status(health.isReady, good: "ready", bad: "not ready")
        case "/healthz": return healthz(verbose: request.queryValue("verbose") != nil)
        case "/metrics":
            return HTTPResponse(
                contentType: "text/plain; version=0.0.4; charset=utf-8",
                text: registry.prometheusText())
        case "/":
            return HTTPResponse(text: "millrace: /livez /readyz /healthz?verbose /metrics\n")
        default: return HTTPResponse(status: 404, text: "there is no \(request.path)\n")
        }
    }

    private func status(_ isGood: Bool, good: String, bad: String) -> HTTPResponse {
        HTTPResponse(status: isGood ? 200 : 503, text: (isGood ? good : bad) + "\n")
    }

    private func healthz(verbose: Bool) -> HTTPResponse {
        let checks = health.checks()
        let isGood = !checks.isEmpty && checks.allSatisfy { $0.problem == nil }
        guard verbose else { return status(isGood, good: "ok", bad: "failing") }
        let lines = checks.map { check in
            check.problem.map { "[-] \(check.name): \($0)" } ?? "[+] \(check.name): ok"
        }
        let text = (lines + [isGood ? "healthy" : "failing"]).joined(separator: "\n") + "\n"
        return HTTPResponse(status: isGood ? 200 : 503, text: text)
    }
}
