import MillraceBase
import Testing

/// The short ways of reading variable-length integers beside the long ones.
struct VarintTests {
    /// What a way of reading makes of bytes: value or error, and where it stands then.
    private func outcome<T: Equatable>(
        _ bytes: [UInt8], _ read: (inout ByteReader) throws(CodecError) -> T
    ) -> (value: T?, error: CodecError?, position: Int) {
        bytes.withUnsafeBytes { buffer in
            var reader = ByteReader(buffer)
            do throws(CodecError) {
                return (try read(&reader), nil, reader.position)
            } catch {
                return (nil, error, reader.position)
            }
        }
    }

    private func compare(_ bytes: [UInt8]) {
        let short = outcome(bytes) { reader throws(CodecError) in try reader.readShortVarint() }
        let long = outcome(bytes) { reader throws(CodecError) in try reader.readVarint() }
        #expect(short == long, "\(bytes)")
        let shortLong = outcome(bytes) { reader throws(CodecError) in
            try reader.readShortVarlong()
        }
        let longLong = outcome(bytes) { reader throws(CodecError) in try reader.readVarlong() }
        #expect(shortLong == longLong, "\(bytes)")
    }

    @Test func theShortWayReadsWhatTheLongOneReads() {
        compare([])
        for first in UInt8.min ... .max {
            compare([first])
            for second in UInt8.min ... .max {
                compare([first, second])
                compare([first, second, 1])
            }
        }
        var generator = SeededGenerator(seed: 1)
        for count in 3...12 {
            for _ in 0..<200 {
                compare((0..<count).map { _ in .random(in: 0x70...0xFF, using: &generator) })
            }
        }
        for count in 4...11 { compare(Array(repeating: 0xFF, count: count) + [1]) }
    }
}
