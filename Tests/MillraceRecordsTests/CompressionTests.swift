import MillraceBase
import MillraceRecords
import Testing

struct CompressionTests {
    static let inputs: [[UInt8]] = [
        [], Array("x".utf8), Array(repeating: 7, count: 200_000),
        (0..<150_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) },
    ]

    @Test(arguments: CompressionCodec.allCases)
    func whatIsCompressedComesBackTheSame(codec: CompressionCodec) throws {
        let contexts = CodecContexts()
        for input in Self.inputs {
            let packed = compress(input, codec, contexts)
            let plain = try packed.withUnsafeBytes { bytes in
                try contexts.decompress(bytes, codec: codec, limit: input.count)
            }
            #expect(plain == input)
        }
    }

    @Test(arguments: CompressionCodec.allCases)
    func outputStopsAtTheLimit(codec: CompressionCodec) throws {
        let contexts = CodecContexts()
        let packed = compress(Array(repeating: 0, count: 10_000_000), codec, contexts)
        _ = packed.withUnsafeBytes { bytes in
            #expect(throws: RecordsError.inflatesBeyond(limit: 1_000_000)) {
                try contexts.decompress(bytes, codec: codec, limit: 1_000_000)
            }
        }
    }

    @Test(arguments: [CompressionCodec.gzip, .snappy, .lz4, .zstd])
    func damagedBytesAreRefusedAndTheContextServesOn(codec: CompressionCodec) throws {
        let contexts = CodecContexts()
        let input = Self.inputs[3]
        let packed = compress(input, codec, contexts)
        var generator = SystemRandomNumberGenerator()
        // Nothing at all is an empty stream of zstd.
        for length in [codec == .zstd ? 2 : 0, 1, 7, packed.count / 2, packed.count - 1] {
            let cut = Array(packed.prefix(length))
            _ = cut.withUnsafeBytes { bytes in
                #expect(throws: RecordsError.self) {
                    try contexts.decompress(bytes, codec: codec, limit: 1 << 20)
                }
            }
        }
        for _ in 0..<200 {
            var damaged = packed
            damaged[Int.random(in: 0..<damaged.count, using: &generator)] ^= UInt8.random(
                in: 1...255, using: &generator)
            // Some damage goes unseen by the codec; it must only never trap nor grow.
            damaged.withUnsafeBytes { bytes in
                let plain = try? contexts.decompress(bytes, codec: codec, limit: 1 << 20)
                #expect((plain?.count ?? 0) <= 1 << 20)
            }
        }
        let plain = try packed.withUnsafeBytes { bytes in
            try contexts.decompress(bytes, codec: codec, limit: input.count)
        }
        #expect(plain == input)
    }

    @Test func snappyIsReadWithoutXerialsBlocksToo() throws {
        // "aaaaaaaaaaaaaaaaaaaa" in snappy's raw form: length 20, literal "a", copy 19 from 1.
        let raw: [UInt8] = [20, 0x00, 0x61, 0x4A, 0x01, 0x00]
        let plain = try raw.withUnsafeBytes { bytes in
            try CodecContexts().decompress(bytes, codec: .snappy, limit: 100)
        }
        #expect(plain == Array(repeating: 0x61, count: 20))
    }

    private func compress(
        _ input: [UInt8], _ codec: CompressionCodec, _ contexts: CodecContexts
    ) -> [UInt8] {
        var writer = ByteWriter()
        input.withUnsafeBytes { contexts.compress($0, codec: codec, level: nil, into: &writer) }
        return writer.array()
    }
}
