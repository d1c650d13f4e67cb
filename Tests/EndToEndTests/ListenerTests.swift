import Foundation
import TestSupport
import Testing

/// Listeners of a running node.
struct ListenerTests {
    /// The example of deploy/config, INTERNAL in plain text and EXTERNAL with TLS on IPv6.
    /// Its certificate is changed while it runs.
    @Test func aClientIsToldTheAddressOfTheListenerThatItCameThrough() async throws {
        try await Story.run(
            "two_listeners.py",
            [
                "--config",
                Program.root.appending(path: "deploy/config/two-listeners.properties").path,
            ])
    }
}
