internal import CMillraceCodecs
internal import MillraceBase

/// Zstandard (RFC 8878), streamed, so that frames of unknown size and several frames are read too.
enum Zstd {
    static func decompress(
        _ input: UnsafeRawBufferPointer, limit: Int, context: OpaquePointer?
    ) throws(RecordsError) -> [UInt8] {
        guard let context else { throw .undecodable(.zstd) }
        // No frame at all is an empty stream, to Java's reader too.
        if input.isEmpty { return [] }
        ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var output = BoundedOutput(limit: limit)
        while true {
            var status = 0
            var produced = 0
            let before = source.pos
            try output.fill(hint: input.count * 3) { space in
                var destination = ZSTD_outBuffer(dst: space.baseAddress, size: space.count, pos: 0)
                status = ZSTD_decompressStream(context, &destination, &source)
                produced = destination.pos
                return produced
            }
            guard ZSTD_isError(status) == 0 else { throw .undecodable(.zstd) }
            if source.pos == source.size, status == 0 { return output.bytes }
            guard produced > 0 || source.pos > before else { throw .undecodable(.zstd) }
        }
    }

    static func compress(
        _ input: UnsafeRawBufferPointer, level: Int32, context: OpaquePointer?,
        into output: inout ByteWriter
    ) {
        output.writeUninitialized(atMost: ZSTD_compressBound(input.count)) { space in
            let written = ZSTD_compressCCtx(
                context, space.baseAddress, space.count, input.baseAddress, input.count, level)
            precondition(ZSTD_isError(written) == 0, "the bound holds all output")
            return written
        }
    }
}
