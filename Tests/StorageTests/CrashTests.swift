import MillraceBase
import MillraceRecords
import Storage
import TestSupport
import Testing

/// Power fails at any moment: what was flushed is there, what comes back was written, in its order,
/// and nothing traps.
struct CrashTests {
    /// A small generator, so that a seed says everything.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    // The last three: what a recovery cut came back under what was written in its place.
    @Test(arguments: Array(0..<150) + [1_001_846, 1_002_387, 1_004_809])
    func whatWasFlushedSurvivesAnyCrash(seed: Int) throws { try crashes(seed) }

    @Test(.enabled(if: Soak.minutes != nil, "make soak"))
    func soakCrashes() async throws {
        try await Soak.rounds("crashes", share: 0.1, from: 1_000_000) { try crashes($0) }
    }

    private func crashes(_ seed: Int) throws {
        var generator = Generator(state: UInt64(seed))
        var config = LogConfig()
        config.segmentBytes = Int64.random(in: 500...3_000, using: &generator)
        config.indexIntervalBytes = Int.random(in: 1...500, using: &generator)
        var fixture = try LogFixture(config: config)
        var written: [String] = []
        var sequence: Int32 = 0
        for _ in 0..<6 {
            var flushed = 0
            for _ in 0..<Int.random(in: 1...40, using: &generator) {
                switch Int.random(in: 0..<12, using: &generator) {
                case 0:
                    try fixture.flush()
                    flushed = written.count
                case 1: try fixture.checkpoint()
                default:
                    let size = Int.random(in: 1...300, using: &generator)
                    let value = "\(sequence)" + String(repeating: "x", count: size)
                    let producer = BatchProducer(id: 3, epoch: 0, baseSequence: sequence)
                    let batch = TestBatch(values: [value], producer: producer)
                    written.append("\(fixture.log.endOffset.rawValue) \(value)")
                    _ = try fixture.append(batch).staged()
                    sequence += 1
                }
            }
            if Int.random(in: 0..<4, using: &generator) == 0 {
                try fixture.stopClean()
                flushed = written.count
            }
            fixture.files.crash(using: &generator)
            fixture = try fixture.reopened()
            let found = try fixture.records()
            // Not the lists themselves: a failure would print all that was written.
            let isKept = found.prefix(flushed) == written.prefix(flushed)
            #expect(isKept, "seed \(seed): flushed records are lost")
            // A segment may come back though the one before it lost its end, as with Kafka.
            var rest = written[...]
            let isInOrder = found.allSatisfy { record in
                guard let place = rest.firstIndex(of: record) else { return false }
                rest = rest[(place + 1)...]
                return true
            }
            #expect(isInOrder, "seed \(seed)")
            // The producer goes on where the log ends.
            written = found
            let last = fixture.log.producers().first?.lastSequence ?? -1
            let value = found.last?.split(separator: " ").last?.prefix { $0 != "x" }
            #expect(Int32(value ?? "-1") == last, "seed \(seed)")
            sequence = last + 1
        }
    }

    @Test(arguments: 0..<60)
    func aLogOfAnyBytesOpensOrSaysWhatIsWrong(seed: Int) throws { try damages(seed) }

    @Test(.enabled(if: Soak.minutes != nil, "make soak"))
    func soakDamagedLogs() async throws {
        try await Soak.rounds("damaged logs", share: 0.05, from: 1_000_000) { try damages($0) }
    }

    private func damages(_ seed: Int) throws {
        var generator = Generator(state: UInt64(1_000 + seed))
        var config = LogConfig()
        config.segmentBytes = 1_500
        config.indexIntervalBytes = 100
        let fixture = try LogFixture(config: config)
        for index in 0..<40 {
            let producer = BatchProducer(id: 3, epoch: 0, baseSequence: Int32(index))
            try fixture.append(TestBatch(values: ["\(index)"], producer: producer))
        }
        if Bool.random(using: &generator) { try fixture.stopClean() }
        let names = try fixture.fileNames()
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            guard let name = names.randomElement(using: &generator) else { break }
            let file = try fixture.files.open("/data/t-0/" + name, .readWrite)
            let size = Int(try file.size())
            let position = Int.random(in: 0...size, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: try file.truncate(to: Int64(position))
            case 1:
                let bytes = (0..<Int.random(in: 1...80, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                try file.write(bytes, at: Int64(position))
            default: try file.write([UInt8](repeating: 0, count: 90), at: Int64(position))
            }
        }
        do {
            let again = try fixture.reopened()
            // Reading everything either works or is an error of its own.
            _ = try again.records()
            _ = try again.log.offset(forTimestamp: Timestamp(5), upTo: again.log.endOffset)
            _ = try again.log.offsetOfMaxTimestamp()
            _ = try again.append(TestBatch(values: ["new"]))
        } catch is StorageError {
        } catch is RecordsError {
        }
        _ = try LogDump.partition("/data/t-0", fileSystem: fixture.files, records: true)
    }
}
