import Foundation
import TestSupport
import Testing

/// The commands of a cluster against a live node, in text and JSON.
@Suite(.localNode())
struct ClusterCommandTests {
    private func node() throws -> LocalNode {
        try #require(LocalNode.current, "the suite has a node")
    }

    private func millrace(
        _ arguments: String..., input: String? = nil
    ) async throws -> ProgramResult {
        try await Program.run(
            Program.millrace, ["-b", try node().plaintext] + arguments, input: input,
            timeout: .seconds(60))
    }

    private func json(_ result: ProgramResult) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(result.output.utf8))
    }

    @Test func topicsAreMadeShownChangedAndDeleted() async throws {
        let made = try await millrace("topic", "create", "t1", "--partitions", "2")
        #expect(made.status == 0, "\(made.errors)")
        #expect(made.errors == "created topic t1\n")
        let again = try await millrace("topic", "create", "t1")
        #expect(again.status == 1)
        #expect(again.errors.hasPrefix("millrace: topic t1: TOPIC_ALREADY_EXISTS"))
        #expect(try await millrace("topic", "create", "t1", "--if-not-exists").status == 0)
        let described = try await millrace("topic", "describe", "t1")
        #expect(
            described.output == """
                TOPIC  PARTITION  LEADER  REPLICAS  ISR  START  END
                t1             0       1  1         1        0    0
                t1             1       1  1         1        0    0

                """)
        #expect(try await millrace("topic", "alter", "t1", "-p", "3").status == 0)
        let listed = try await millrace("topic", "list", "-o", "json")
        let topics = try #require(try json(listed) as? [[String: Any]])
        let own = try #require(topics.first { $0["name"] as? String == "t1" })
        #expect(own["partitions"] as? Int == 3)
        #expect(own["replication_factor"] as? Int == 1)
        let refused = try await millrace("topic", "delete", "t1")
        #expect(refused.status == 64, "without a terminal it asks for --yes")
        #expect(try await millrace("topic", "delete", "t1", "--dry-run").status == 0)
        #expect(try await millrace("topic", "delete", "t1", "--yes").status == 0)
        #expect(try await millrace("topic", "describe", "t1").status == 1)
    }

    @Test(arguments: ["none", "gzip", "snappy", "lz4", "zstd"])
    func recordsComeBackAsTheyWereSent(codec: String) async throws {
        let topic = "records-\(codec)"
        #expect(try await millrace("topic", "create", topic, "-p", "2").status == 0)
        let input = (0..<500).map { "k\($0)|value \($0)\n" }.joined()
        let sent = try await millrace(
            "produce", topic, "-K", "|", "-z", codec, "-H", "from=test", "-o", "json", input: input)
        #expect(sent.status == 0, "\(sent.errors)")
        #expect(sent.output == "{\n  \"topic\": \"\(topic)\",\n  \"records\": 500\n}\n")
        let read = try await millrace("consume", topic, "-e", "-f", "%k|%v %h\\n")
        let expected = Set((0..<500).map { "k\($0)|value \($0) from=test" })
        #expect(Set(read.output.split(separator: "\n").map(String.init)) == expected)
        let last = try await millrace(
            "consume", topic, "-e", "-p", "0", "--offset", "-1", "-o", "json")
        let record = try #require(try json(last) as? [String: Any])
        #expect(record["partition"] as? Int == 0)
        #expect((record["value"] as? String)?.hasPrefix("value ") == true)
        let future = try await millrace("consume", topic, "-e", "--offset", "@2100-01-01")
        #expect(future.output.isEmpty && future.status == 0)
        let past = try await millrace("consume", topic, "--offset", "@2020-01-01:@2100-01-01")
        #expect(past.output.split(separator: "\n").count == 500)
    }

    @Test func aGroupCommitsShowsItsLagAndIsMoved() async throws {
        #expect(try await millrace("topic", "create", "g", "-p", "1").status == 0)
        let input = (0..<20).map { "\($0)\n" }.joined()
        #expect(try await millrace("produce", "g", input: input).status == 0)
        let first = try await millrace("consume", "g", "--group", "mine", "-c", "5")
        #expect(first.output == "0\n1\n2\n3\n4\n", "\(first.errors)")
        let described = try await millrace("group", "describe", "mine")
        #expect(
            described.output == """
                GROUP  STATE  TOPIC  PARTITION  COMMITTED  END  LAG
                mine   Empty  g              0          5   20   15

                """)
        let rest = try await millrace("consume", "g", "--group", "mine", "-e")
        #expect(rest.output.split(separator: "\n").count == 15)
        let dry = try await millrace(
            "group", "reset-offsets", "mine", "--to", "-3", "--dry-run", "-o", "json")
        let moves = try #require(try json(dry) as? [[String: Any]])
        #expect(moves.first?["from_offset"] as? Int == 20)
        #expect(moves.first?["to_offset"] as? Int == 17)
        let asked = try await millrace("group", "reset-offsets", "mine", "--to", "17")
        #expect(asked.status == 64)
        #expect(asked.errors == "millrace: Move 1 offset of group mine? Not done: say --yes\n")
        let beyond = try await millrace(
            "group", "reset-offsets", "mine", "--to", "latest", "-t", "g:0,9", "--yes")
        #expect(beyond.status == 1 && beyond.output.isEmpty, "\(beyond)")
        #expect(beyond.errors == "millrace: partition g-9: UNKNOWN_TOPIC_OR_PARTITION\n")
        let moved = try await millrace("group", "reset-offsets", "mine", "--to", "17", "--yes")
        #expect(moved.status == 0, "\(moved.errors)")
        let after = try await millrace("consume", "g", "--group", "mine", "-e")
        #expect(after.output == "17\n18\n19\n")
        #expect(try await millrace("group", "list").output.contains("mine"))
        #expect(try await millrace("group", "delete", "mine", "--yes").status == 0)
        #expect(try await millrace("group", "describe", "mine").status == 1)
    }

    @Test func aMemberThatJoinsGetsNothingTwiceAndEndsWithoutPartitions() async throws {
        let node = try node()
        #expect(try await millrace("topic", "create", "hand", "-p", "1").status == 0)
        let input = (0..<100).map { "\($0)\n" }.joined()
        #expect(try await millrace("produce", "hand", input: input).status == 0)
        // The first follows, and has read all before two others join: of three members at least two
        // get no partition. In the rare round in which the two join one after the other, each may
        // have had it.
        let line = """
            coproc w { exec $m consume hand -G over -b $b; }
            for i in {1..100}; do read -r line <&${w[0]}; done
            for i in {1..5}; do
                timeout 30 $m consume hand -G over -e -b $b 2>$d/e1 & one=$!
                timeout 30 $m consume hand -G over -e -b $b 2>$d/e2 & two=$!
                wait $one || echo failed $?
                wait $two || echo failed $?
                cat $d/e1 $d/e2 | grep . && break
            done
            kill -INT $w_PID; wait $w_PID; echo $?
            """
        let result = try await Program.run(
            URL(fileURLWithPath: "/bin/bash"), ["-c", line],
            environment: [
                "m": Program.millrace.path, "b": node.plaintext, "d": node.folder.path,
            ])
        let note = "group over has no partition for this member: others read them"
        let lines = Set(result.output.split(separator: "\n").map(String.init))
        #expect(lines == [note, "130"], "what was read is committed: \(result)")
    }

    @Test func timesAreReadWholeOrRefused() async throws {
        #expect(try await millrace("topic", "create", "timed").status == 0)
        #expect(try await millrace("produce", "timed", input: "x\n").status == 0)
        for (time, found) in [
            ("@2026-01-31", "x\n"), ("@2026-01-31T09:30:00.5+09:00", "x\n"), ("@2999-12-31", ""),
            ("@2999-12-31T23:59:60Z", ""), ("@2028-02-29T00:00", ""), ("@0", "x\n"),
        ] {
            let result = try await millrace("consume", "timed", "--offset", time, "-e")
            #expect(result.status == 0 && result.output == found, "\(time): \(result)")
        }
        for time in [
            "T00:00:nan", "T00:00:1e300", "T-1e300:00:00", "Tgarbage", "T24:00", "T1:00", "T00:60",
            "T00:00:61", "T00:00:00+9", "T00:00:00.", "T00:00:00.x", "T00:00:00Z+01:00", "T", "-1",
        ] {
            let text = "@2026-01-31\(time)"
            let result = try await millrace("consume", "timed", "--offset", text, "-e")
            #expect(result.status == 64 && result.errors.contains("is no time"), "\(text)")
        }
        for date in ["@2026-02-29", "@2026-13-01", "@2026-00-01", "@1969-12-31", "@26-01-01"] {
            let result = try await millrace("consume", "timed", "--offset", date, "-e")
            #expect(result.status == 64 && result.errors.contains("is no time"), "\(date)")
        }
    }

    @Test func placesThatHaveNoMeaningThereAreRefused() async throws {
        #expect(try await millrace("topic", "create", "placed").status == 0)
        for place in ["current", "+3"] {
            let result = try await millrace("consume", "placed", "--offset", place, "-e")
            #expect(result.status == 64 && result.errors.contains("--group"), "\(result)")
        }
        for place in ["5", "-2", "@2026-01-01:@2026-01-02"] {
            let result = try await millrace(
                "consume", "placed", "--offset", place, "-e", "-G", "places")
            #expect(result.status == 64 && result.errors.contains("--group"), "\(result)")
        }
    }

    @Test func aRecordThatIsTooLargeIsRefusedWithItsSize() async throws {
        #expect(try await millrace("topic", "create", "large").status == 0)
        let input = String(repeating: "x", count: 33 << 20)
        let result = try await millrace("produce", "large", input: input)
        #expect(result.status == 1 && result.errors.contains("--delimiter"), "\(result.errors)")
        let found = try await millrace("consume", "large", "--offset", "earliest", "-e")
        #expect(found.status == 0 && found.output.isEmpty)
    }

    @Test func settingsAreSetShownAndUnset() async throws {
        #expect(try await millrace("topic", "create", "c").status == 0)
        #expect(try await millrace("config", "set", "topic", "c", "retention.ms=12345").status == 0)
        let shown = try await millrace("config", "describe", "topic", "c", "-o", "json")
        let settings = try #require(try json(shown) as? [[String: Any]])
        let own = try #require(settings.first { $0["name"] as? String == "retention.ms" })
        #expect(own["value"] as? String == "12345" && own["source"] as? String == "topic")
        let wrong = try await millrace("config", "set", "topic", "c", "retention.mss=1")
        #expect(wrong.status == 1)
        #expect(try await millrace("config", "unset", "topic", "c", "retention.ms").status == 0)
        let after = try await millrace("config", "describe", "topic", "c")
        #expect(!after.output.contains("retention.ms"))
        #expect(try await millrace("config", "describe", "broker", "1").status == 0)
    }

    /// One of several that is refused makes the command fail; the others are done.
    @Test func eachOfSeveralThingsHasItsOutcome() async throws {
        #expect(try await millrace("topic", "create", "many").status == 0)
        let made = try await millrace("topic", "create", "many", "few", "-o", "json")
        #expect(made.status == 1)
        let topics = try #require(try json(made) as? [[String: Any]])
        let outcomes = topics.map { [$0["name"] as? String, $0["error"] as? String] }
        #expect(outcomes == [["many", "TOPIC_ALREADY_EXISTS"], ["few", nil]])
        #expect(topics.last?["partitions"] as? Int == 1)
        let dry = try await millrace("topic", "delete", "few", "fewer", "--dry-run")
        #expect(dry.status == 1)
        #expect(
            dry.errors.split(separator: "\n").sorted() == [
                "millrace: topic fewer: UNKNOWN_TOPIC_OR_PARTITION", "would delete topic few",
            ])
        let deleted = try await millrace("topic", "delete", "few", "fewer", "--yes")
        #expect(deleted.status == 1)
        #expect(deleted.errors.contains("millrace: topic fewer: UNKNOWN_TOPIC_OR_PARTITION"))
        let fewer = try await millrace("topic", "alter", "many", "-p", "1", "-o", "json")
        #expect(fewer.status == 1)
        let change = try #require((try json(fewer) as? [[String: Any]])?.first)
        #expect(change["error"] as? String == "INVALID_PARTITIONS")
        #expect(change["message"] as? String != nil && change["partitions"] as? Int == 1)
        let absent = try await millrace("topic", "describe", "many", "none")
        #expect(absent.status == 1)
        #expect(absent.errors == "millrace: topic none: UNKNOWN_TOPIC_OR_PARTITION\n")
    }

    @Test func whatAGroupRefusesIsTold() async throws {
        let absent = try await millrace("group", "describe", "nobody")
        #expect(absent.status == 1)
        #expect(
            absent.errors
                == "millrace: there is no group nobody: millrace group list shows all\n")
        let deleted = try await millrace("group", "delete", "nobody", "--yes")
        #expect(deleted.status == 1)
        #expect(deleted.errors == "millrace: group nobody: GROUP_ID_NOT_FOUND\n")
        let reset = try await millrace("group", "reset-offsets", "nobody", "--to", "earliest")
        #expect(reset.status == 64)
        let unknown = try await millrace(
            "group", "reset-offsets", "nobody", "-t", "none", "--to", "earliest", "--yes")
        #expect(unknown.status == 1)
        #expect(unknown.errors == "millrace: topic none: UNKNOWN_TOPIC_OR_PARTITION\n")
    }

    @Test func settingsOfABrokerThatIsNotThereAreAskedInVain() async throws {
        for words in [["describe", "broker", "7"], ["set", "broker", "7", "max.connections=9"]] {
            let absent = try await Program.run(
                Program.millrace, ["-b", try node().plaintext, "config"] + words)
            #expect(absent.status == 1)
            #expect(
                absent.errors
                    == "millrace: there is no broker 7: millrace cluster describe shows all\n")
        }
        #expect(try await millrace("config", "describe", "broker", "one").status == 64)
        #expect(try await millrace("config", "describe", "brokre", "1").status == 64)
        #expect(try await millrace("config", "describe", "broker", "default").status == 0)
    }

    @Test func theClusterIsDescribedOverTLSToo() async throws {
        let node = try node()
        let plain = try await millrace("cluster", "describe", "-o", "json")
        let document = try #require(try json(plain) as? [String: Any])
        #expect(document["controller_id"] as? Int == 1)
        let tls = try await Program.run(
            Program.millrace, ["cluster", "describe", "-b", node.tls, "--ca", node.ca])
        #expect(tls.status == 0, "\(tls.errors)")
        #expect(tls.output.contains(node.tls))
        let untrusted = try await Program.run(
            Program.millrace, ["cluster", "describe", "-b", node.tls, "--tls"])
        #expect(untrusted.status == 3)
        #expect(untrusted.errors.contains("TLS handshake failed"))
        #expect(
            untrusted.errors.hasSuffix("; is --ca the authority that signed its certificate?\n"),
            "\(untrusted.errors)")
        let toPlaintext = try await Program.run(
            Program.millrace, ["cluster", "describe", "-b", node.plaintext, "--ca", node.ca])
        #expect(toPlaintext.status == 3)
        #expect(
            toPlaintext.errors.hasSuffix("; is it a plaintext listener?\n"),
            "\(toPlaintext.errors)")
    }

    @Test func aPartitionsFilesAreDumpedAndCorruptionIsToldOf() async throws {
        let node = try node()
        #expect(try await millrace("topic", "create", "d", "-p", "1").status == 0)
        #expect(try await millrace("produce", "d", input: "one\ntwo\n").status == 0)
        let folder = "\(node.description.nodes[0].dataDir)/d-0"
        let dumped = try await millraceAlone("log", "dump", folder, "--records", "-o", "json")
        #expect(dumped.status == 0, "\(dumped.errors)")
        #expect(dumped.output.contains("\"value\": \"two\""))
        let copy = try Program.temporaryFolder("dump")
        defer { try? FileManager.default.removeItem(at: copy) }
        let name = "00000000000000000000.log"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))
        bytes[bytes.count - 2] ^= 1
        try bytes.write(to: copy.appending(path: name))
        let corrupt = try await millraceAlone("log", "dump", copy.path)
        #expect(corrupt.status == 2)
        #expect(corrupt.errors.contains("corrupt: \(name) at byte 0"))
    }

    @Test func whatIsNoPartitionIsNotDumped() async throws {
        let folder = try Program.temporaryFolder("dump")
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "notes.txt")
        try Data().write(to: file)
        let empty = try await millraceAlone("log", "dump", folder.path)
        #expect(empty.status == 1 && empty.output.isEmpty)
        #expect(
            empty.errors
                == "millrace: \(folder.path) is no partition's folder: it holds no .log file\n")
        let notes = try await millraceAlone("log", "dump", file.path)
        #expect(notes.status == 1 && notes.output.isEmpty)
        #expect(
            notes.errors == "millrace: \(file.path) is no partition's folder, no .log file and no "
                + "checkpoint of offsets\n")
    }

    private func millraceAlone(_ arguments: String...) async throws -> ProgramResult {
        try await Program.run(Program.millrace, arguments)
    }

    @Test func aBenchTellsWhatItMeasured() async throws {
        let sent = try await millrace("bench", "produce", "b", "--records", "2000", "-o", "json")
        let document = try #require(try json(sent) as? [String: Any], "\(sent.errors)")
        #expect(document["records"] as? Int == 2000)
        let read = try await millrace("bench", "consume", "b", "-o", "json")
        #expect((try json(read) as? [String: Any])?["records"] as? Int == 2000)
        let both = try await millrace(
            "bench", "e2e", "b2", "--records", "200", "--rate", "2000", "-o", "json")
        let latency = (try json(both) as? [String: Any])?["latency_us"] as? [String: Any]
        #expect(latency?["p99"] != nil, "\(both.errors)")
        let part = try await millrace("bench", "consume", "b", "--records", "700", "-o", "json")
        #expect((try json(part) as? [String: Any])?["records"] as? Int == 700)
        let batches = document["latency_us"] as? [String: Any]
        #expect(try #require(batches?["max"] as? Int) > 0)
    }
}
