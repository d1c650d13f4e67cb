import TestSupport
import Testing

/// `millrace consume` that is interrupted, and whose broker goes away.
struct ConsumeFaultTests {
    @Test func nothingUnprintedIsCommittedAndABrokerThatIsAwayIsWaitedForAndToldOf() async throws {
        try await Story.run("consume_faults.py")
    }
}
