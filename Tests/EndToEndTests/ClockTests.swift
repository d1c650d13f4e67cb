import TestSupport
import Testing

/// A wall clock that is set while the node runs.
struct ClockTests {
    @Test func aClockThatJumpsDeletesNothingEarly() async throws {
        try await Story.run("clock_jump.py")
    }
}
