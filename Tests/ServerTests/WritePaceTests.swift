import Glibc
import MillraceBase
import Server
import Testing

@Suite struct WritePaceTests {
    private func at(_ milliseconds: Int64) -> Instant {
        Instant(nanoseconds: milliseconds * 1_000_000)
    }

    /// A write from `begin` to `end`, before and after which the thread had slept so often.
    private func write(
        _ pace: inout WritePace, _ begin: Int64, _ end: Int64, sleeps: ClosedRange<Int>
    ) {
        let start = pace.begin(at: at(begin)) { sleeps.lowerBound }
        _ = pace.end(start, at: at(end)) { sleeps.upperBound }
    }

    @Test func quickWritesStayOnTheLoop() {
        var pace = WritePace()
        for time in Int64(0)..<50 { write(&pace, time, time + 1, sleeps: 0...1) }
        #expect(!pace.isSlow(at: at(60)))
    }

    @Test func aThreadThatWasNotRunningIsNoSlowDisk() {
        var pace = WritePace()
        for time in Int64(0)..<50 { write(&pace, time * 10, time * 10 + 8, sleeps: 7...7) }
        #expect(!pace.isSlow(at: at(510)))
    }

    @Test func aDiskThatMakesTheWriterWaitTwiceIsSlow() {
        var pace = WritePace()
        write(&pace, 0, 20, sleeps: 0...1)
        #expect(!pace.isSlow(at: at(21)), "nobody asked whether the thread slept")
        write(&pace, 21, 41, sleeps: 1...2)
        #expect(pace.isSlow(at: at(42)))
        #expect(!pace.isSlow(at: at(1042)))
        // Back on the loop it is watched from the first write on.
        write(&pace, 1050, 1070, sleeps: 2...3)
        #expect(pace.isSlow(at: at(1071)))
    }

    @Test func aSlowDiskStaysSlowWhileDiskThreadsFindItSo() {
        var pace = WritePace()
        pace.slowElsewhere(at: at(100))
        pace.slowElsewhere(at: at(900))
        #expect(pace.isSlow(at: at(1_800)))
        #expect(!pace.isSlow(at: at(1_901)))
    }

    @Test func suspicionEnds() {
        var pace = WritePace()
        write(&pace, 0, 20, sleeps: 0...1)
        write(&pace, 2000, 2020, sleeps: 1...2)
        #expect(!pace.isSlow(at: at(2021)))
    }

    @Test func sleepsOfThisThreadAreCounted() {
        let before = WritePace.threadSleeps()
        usleep(2000)
        #expect(WritePace.threadSleeps() > before)
    }
}
