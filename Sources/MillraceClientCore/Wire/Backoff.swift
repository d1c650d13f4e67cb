/// How long to wait before a repeat: doubling from `first` to `longest`, each a fifth longer or
/// shorter by chance, so that clients do not come back together (KIP-580).
package struct Backoff: Equatable, Sendable {
    package var first: Duration
    package var longest: Duration

    package init(first: Duration = .milliseconds(100), longest: Duration = .seconds(1)) {
        self.first = first
        self.longest = longest
    }

    /// - Parameter attempt: how often it has failed; from 1.
    package func delay(
        attempt: Int, random: inout some RandomNumberGenerator
    ) -> Duration {
        let doublings = min(max(attempt - 1, 0), 20)
        let base = min(first * (1 << doublings), longest)
        return base * Int.random(in: 80...120, using: &random) / 100
    }
}
