import Foundation
import MillraceBase
import Synchronization
import Testing

/// Lines that a sink gave.
private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: [UInt8]) {
        lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
    }
    var all: [String] { lines.withLock { $0 } }
}

@Suite struct LogTests {
    @Test func aJSONLineKeepsTheTypesOfItsFields() throws {
        let lines = Lines()
        let sink = LogSink(level: .info, capture: lines.add)
        sink.setNode(NodeID(3))
        sink.logger("net").warn(
            "handshake \"failed\"\n", code: "NET-004",
            ["peer": "[::1]:9", "bytes": 12, "share": 0.5, "resumed": false])
        let line = try #require(lines.all.first)
        #expect(line.hasSuffix("}\n"))
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["level"] as? String == "warn")
        #expect(object["module"] as? String == "net")
        #expect(object["node"] as? Int == 3)
        #expect(object["code"] as? String == "NET-004")
        #expect(object["msg"] as? String == "handshake \"failed\"\n")
        #expect(object["bytes"] as? Int == 12)
        #expect(object["share"] as? Double == 0.5)
        #expect(object["resumed"] as? Bool == false)
    }

    @Test func aTextLineQuotesWhatHasSpacesAndHoldsNoControlCharacter() {
        let lines = Lines()
        let sink = LogSink(level: .info, format: .text, capture: lines.add)
        sink.logger("raft").info("became leader\u{1b}[2J", ["topic": "a b", "epoch": 7])
        #expect(
            lines.all.first?.hasSuffix(" info raft became leader?[2J topic=\"a b\" epoch=7\n")
                == true)
    }

    @Test func aLevelOfAModuleStandsAboveThatOfTheRoot() {
        let lines = Lines()
        let sink = LogSink(level: .info, capture: lines.add)
        let (net, raft) = (sink.logger("net"), sink.logger("raft"))
        #expect(sink.setLevel(.debug, for: "net"))
        net.debug("shown")
        raft.debug("not shown")
        #expect(sink.setLevel(.error, for: LogSink.root))
        raft.warn("not shown")
        net.info("shown too")
        #expect(sink.setLevel(nil, for: "net"))
        net.warn("not shown")
        #expect(lines.all.count == 2)
        #expect(sink.levels().map(\.module) == ["net", "raft", "root"])
        #expect(!sink.setLevel(.info, for: "nobody"))
        #expect(!sink.setLevel(nil, for: LogSink.root))
    }

    @Test func linesOfOneCodeAreLimitedAndOthersAreNot() {
        let lines = Lines()
        let sink = LogSink(level: .info, capture: lines.add)
        let log = sink.logger("net")
        for _ in 0..<100 { log.warn("again", code: "NET-001") }
        log.warn("other", code: "NET-002")
        log.warn("without code")
        // A new window may begin in between: then ten more lines are right.
        #expect((12...22).contains(lines.all.count))
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_826_154_999, "2000-02-29T12:09:14.999Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func aTimestampIsWrittenByRFC3339(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds).rfc3339 == text)
    }

    @Test func theFirstAndTheLastTimestampAreWrittenToo() {
        #expect(Timestamp(.min).rfc3339 == "-292275055-05-16T16:47:04.192Z")
        #expect(Timestamp(.max).rfc3339 == "292278994-08-17T07:12:55.807Z")
    }
}
