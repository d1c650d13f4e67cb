import Foundation

/// Long runs happen only under `make soak MINUTES=n`.
package enum Soak {
    /// How long they may take in all; nil outside of soak.
    package static let minutes: Int? = ProcessInfo.processInfo
        .environment["MILLRACE_SOAK_MINUTES"].flatMap { Int($0) }
}
