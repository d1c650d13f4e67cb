import TestSupport
import Testing

/// The fuzzer itself.
struct FrameFuzzerTests {
    @Test func theSameSeedGivesTheSameFrames() {
        let recording: [UInt8] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xFF, 0xFF]
        var (one, other) = (
            FrameFuzzer(seed: 9, recordings: [recording], vocabulary: ["t"]),
            FrameFuzzer(seed: 9, recordings: [recording], vocabulary: ["t"])
        )
        var kinds: Set<FrameFuzzer.Kind> = []
        for _ in 0..<200 {
            let (frame, again) = (one.next(), other.next())
            #expect(frame.kind == again.kind && frame.bytes == again.bytes)
            kinds.insert(frame.kind)
        }
        #expect(kinds.count == FrameFuzzer.Kind.allCases.count)
    }
}
