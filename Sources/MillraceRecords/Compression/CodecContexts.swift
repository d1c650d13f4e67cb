internal import CMillraceCodecs
package import MillraceBase

/// What the codecs keep between calls: zstd's and lz4's contexts, made when first needed.
/// One for each thread that compresses or decompresses; not `Sendable`.
package final class CodecContexts {
    private var zstdDecompression: OpaquePointer?
    private var zstdCompression: OpaquePointer?
    private var lz4Decompression: OpaquePointer?

    package init() {}

    deinit {
        ZSTD_freeDCtx(zstdDecompression)
        ZSTD_freeCCtx(zstdCompression)
        if let lz4Decompression { LZ4F_freeDecompressionContext(lz4Decompression) }
    }

    /// Decompresses `input` whole.
    ///
    /// - Parameter limit: how many bytes may come out. Memory grows with what has come out, never
    ///   with what the input claims.
    /// - Throws: `.undecodable` or `.inflatesBeyond`.
    package func decompress(
        _ input: UnsafeRawBufferPointer, codec: CompressionCodec, limit: Int
    ) throws(RecordsError) -> [UInt8] {
        switch codec {
        case .none:
            guard input.count <= limit else { throw .inflatesBeyond(limit: limit) }
            return Array(input)
        case .gzip: return try Gzip.decompress(input, limit: limit)
        case .snappy: return try Snappy.decompress(input, limit: limit)
        case .lz4: return try LZ4.decompress(input, limit: limit, context: lz4Context())
        case .zstd: return try Zstd.decompress(input, limit: limit, context: zstdContext())
        }
    }

    /// Compresses `input` at `level` (nil: Kafka's default for the codec) into `output`.
    package func compress(
        _ input: UnsafeRawBufferPointer, codec: CompressionCodec, level: Int32?,
        into output: inout ByteWriter
    ) {
        let level = level ?? codec.defaultLevel
        switch codec {
        case .none: output.writeBytes(input)
        case .gzip: Gzip.compress(input, level: level, into: &output)
        case .snappy: Snappy.compress(input, into: &output)
        case .lz4: LZ4.compress(input, level: level, into: &output)
        case .zstd:
            if zstdCompression == nil { zstdCompression = ZSTD_createCCtx() }
            Zstd.compress(input, level: level, context: zstdCompression, into: &output)
        }
    }

    private func lz4Context() -> OpaquePointer? {
        if let lz4Decompression {
            LZ4F_resetDecompressionContext(lz4Decompression)
        } else {
            LZ4F_createDecompressionContext(&lz4Decompression, UInt32(LZ4F_VERSION))
        }
        return lz4Decompression
    }

    private func zstdContext() -> OpaquePointer? {
        if zstdDecompression == nil { zstdDecompression = ZSTD_createDCtx() }
        return zstdDecompression
    }
}

/// Output of a decompressor: an array that doubles up to a limit.
struct BoundedOutput {
    private(set) var bytes: [UInt8] = []
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Offers free space to `body`, which says how many bytes it wrote there.
    mutating func fill(
        hint: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) throws(RecordsError) {
        // One byte over the limit is offered, so that output of exactly `limit` is told from more.
        let free = min(max(hint, 4096, bytes.count), limit + 1 - bytes.count)
        guard free > 0 else { throw .inflatesBeyond(limit: limit) }
        let start = bytes.count
        var written = 0
        bytes.append(
            contentsOf: [UInt8](unsafeUninitializedCapacity: free) { buffer, count in
                written = body(UnsafeMutableRawBufferPointer(buffer))
                count = written
            })
        if start + written > limit { throw .inflatesBeyond(limit: limit) }
    }

    mutating func append(_ slice: [UInt8]) throws(RecordsError) {
        guard slice.count <= limit - bytes.count else { throw .inflatesBeyond(limit: limit) }
        bytes.append(contentsOf: slice)
    }
}
