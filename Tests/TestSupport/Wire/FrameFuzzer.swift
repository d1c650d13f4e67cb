internal import MillraceBase

/// Frames that a broker must survive, one after the other, decided by a seed: right ones with
/// arbitrary fields, changed recordings, sizes and counts that promise what does not come, cut
/// frames, noise.
package struct FrameFuzzer {
    /// What a frame is meant to try.
    package enum Kind: CaseIterable, Sendable {
        case sampled, changedRecording, cutRecording, joinedRecordings, sizeBomb, negativeSize
        case countBomb, manyTinyElements, noise, bomb
    }

    private var sampler: MessageSampler
    private let requests: [SchemaMessage]
    private let recordings: [[UInt8]]
    private let bombs: [[UInt8]]

    /// - Parameters:
    ///   - recordings: whole request frames, with their sizes, to be changed.
    ///   - bombs: whole frames to be sent as they are, such as batches that inflate beyond measure.
    ///   - vocabulary: names that mean something to the broker.
    package init(
        seed: UInt64, recordings: [[UInt8]], bombs: [[UInt8]] = [], vocabulary: [String] = []
    ) {
        sampler = MessageSampler(seed: seed)
        sampler.vocabulary = vocabulary
        requests = SchemaMessage.all.filter { $0.kind == "request" }
        (self.recordings, self.bombs) = (recordings, bombs)
    }

    /// The next frame, with its size in front as it is to be sent.
    package mutating func next() -> (kind: Kind, bytes: [UInt8]) {
        let kind = Kind.allCases.randomElement(using: &sampler.random) ?? .noise
        // Bombs are slow to defuse: some are enough.
        if kind == .bomb, !bombs.isEmpty, number(0..<8) == 0 {
            return (kind, bombs.randomElement(using: &sampler.random) ?? [])
        }
        return (kind, frame(kind))
    }

    private mutating func number(_ range: Range<Int>) -> Int {
        Int.random(in: range, using: &sampler.random)
    }

    private mutating func noise(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &sampler.random) }
    }

    private mutating func recording() -> [UInt8] {
        recordings.randomElement(using: &sampler.random) ?? framed(noise(40))
    }

    private mutating func frame(_ kind: Kind) -> [UInt8] {
        switch kind {
        case .sampled, .bomb: return sampled()
        case .changedRecording: return changed(number(0..<2) == 0 ? recording() : sampled())
        case .cutRecording:
            let whole = Array(recording().dropFirst(4))
            // The size is that of what is left: the body ends early.
            return framed(Array(whole.prefix(number(0..<max(whole.count, 1)))))
        case .joinedRecordings: return recording() + changed(recording()) + recording()
        case .sizeBomb:
            let size = [104_857_600, 104_857_601, 99_999_999, Int(Int32.max)]
                .randomElement(using: &sampler.random)
            return Self.bigEndian(Int32(size ?? 0)) + noise(number(0..<2000))
        case .negativeSize:
            return Self.bigEndian(-Int32(number(1..<1_000_000))) + noise(number(0..<60))
        case .countBomb: return countBomb()
        case .manyTinyElements:
            let head = header(requests.randomElement(using: &sampler.random))
            let count = number(1..<4_000_000)
            return framed(head + Self.bigEndian(Int32(count)) + [UInt8](repeating: 0, count: count))
        case .noise:
            return number(0..<2) == 0 ? noise(number(0..<200)) : framed(noise(number(0..<200)))
        }
    }

    private mutating func header(_ message: SchemaMessage?, version: Int? = nil) -> [UInt8] {
        guard let message else { return noise(14) }
        let chosen = version ?? Int.random(in: message.versions, using: &sampler.random)
        var bytes = Self.bigEndian(Int16(message.key)) + Self.bigEndian(Int16(chosen))
        bytes += noise(4) + [0, 1, 0x66]
        if message.flexible.contains(chosen) { bytes.append(0) }
        return bytes
    }

    private mutating func sampled() -> [UInt8] {
        guard let message = requests.randomElement(using: &sampler.random) else { return [] }
        let version = Int.random(in: message.versions, using: &sampler.random)
        let head = header(message, version: version)
        return framed(head + sampler.body(of: message, version: version))
    }

    private mutating func changed(_ frame: [UInt8]) -> [UInt8] {
        var bytes = frame
        guard bytes.count > 8 else { return bytes }
        for _ in 0...number(0..<6) {
            let place = number(4..<bytes.count)
            switch number(0..<3) {
            case 0: bytes[place] = noise(1)[0]
            case 1: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF][number(0..<5)]
            default: bytes[place] ^= 1 << UInt8(number(0..<8))
            }
        }
        return bytes
    }

    /// A recording in which four bytes somewhere became a count beyond all bounds.
    private mutating func countBomb() -> [UInt8] {
        var bytes = number(0..<2) == 0 ? recording() : sampled()
        guard bytes.count > 16 else { return bytes }
        let bombs: [[UInt8]] = [
            [0x7F, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF, 0xFF, 0xFE], [0x00, 0xFF, 0xFF, 0xFF],
            [0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0xFF, 0xFF, 0xFF, 0x07], [0x80, 0, 0, 0],
        ]
        let bomb = bombs[number(0..<bombs.count)]
        let place = number(12..<bytes.count)
        bytes.replaceSubrange(place..<min(place + bomb.count, bytes.count), with: bomb)
        return framed(Array(bytes.dropFirst(4)))
    }

    /// With the size in front.
    private func framed(_ bytes: [UInt8]) -> [UInt8] {
        Self.bigEndian(Int32(bytes.count)) + bytes
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}
