import Foundation
import Testing

/// Long runs happen only under `make soak MINUTES=n`.
package enum Soak {
    /// How long they may take in all; nil outside of soak.
    package static let minutes: Int? = ProcessInfo.processInfo
        .environment["MILLRACE_SOAK_MINUTES"].flatMap { Int($0) }

    /// How long a test with this share of soak's whole time runs.
    package static func length(share: Double) -> Duration {
        .seconds(Double(minutes ?? 0) * 60 * share)
    }

    /// Calls `round` with seed after seed until this share of soak's whole time is over, once at
    /// least.
    /// - Parameters:
    ///   - first: the first seed; a failure names its own, to be kept as a test.
    ///   - name: what the line after each minute calls the rounds.
    package static func rounds(
        _ name: String, share: Double, from first: Int, _ round: (Int) async throws -> Void
    ) async throws {
        let length = length(share: share)
        let start = ContinuousClock.now
        var (seed, reported) = (first, start)
        repeat {
            do {
                try await round(seed)
            } catch {
                Issue.record("\(name): seed \(seed): \(error)")
                throw error
            }
            seed += 1
            guard ContinuousClock.now - reported > .seconds(60) else { continue }
            reported = .now
            let seconds = (reported - start).components.seconds
            print("soak: \(name): \(seed - first) rounds in \(seconds) s")
        } while ContinuousClock.now - start < length
        print("soak: \(name): \(seed - first) rounds, seeds \(first)..<\(seed)")
    }
}
