import TestSupport
import Testing

/// A disk under a running node that is slow, or fails.
struct DiskFaultTests {
    @Test(arguments: ["slow", "flood", "write", "sync"])
    func aFaultyDiskStopsNobodyElseAndLosesNothing(kind: String) async throws {
        try await Story.run("disk_faults.py", [kind])
    }
}
