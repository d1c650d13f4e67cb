internal import CMillraceCodecs
internal import MillraceBase

/// LZ4's frame format. Blocks are written independent of each other: Java's client reads no other.
enum LZ4 {
    static func decompress(
        _ input: UnsafeRawBufferPointer, limit: Int, context: OpaquePointer?
    ) throws(RecordsError) -> [UInt8] {
        guard let context, !input.isEmpty else { throw .undecodable(.lz4) }
        var output = BoundedOutput(limit: limit)
        var position = 0
        var next = 1  // what LZ4F_decompress expects still; 0 at the end of a frame
        while true {
            var consumed = 0
            var produced = 0
            try output.fill(hint: input.count * 2) { space in
                var written = space.count
                consumed = input.count - position
                next = LZ4F_decompress(
                    context, space.baseAddress, &written,
                    input.baseAddress.map { $0 + position }, &consumed, nil)
                produced = LZ4F_isError(next) != 0 ? 0 : written
                return produced
            }
            guard LZ4F_isError(next) == 0 else { throw .undecodable(.lz4) }
            position += consumed
            if position == input.count, next == 0 { return output.bytes }
            guard consumed > 0 || produced > 0 else { throw .undecodable(.lz4) }
        }
    }

    static func compress(
        _ input: UnsafeRawBufferPointer, level: Int32, into output: inout ByteWriter
    ) {
        var preferences = LZ4F_preferences_t()
        preferences.frameInfo.blockMode = LZ4F_blockIndependent
        preferences.frameInfo.blockSizeID = LZ4F_max64KB
        preferences.compressionLevel = level
        output.writeUninitialized(
            atMost: LZ4F_compressFrameBound(input.count, &preferences)
        ) { space in
            let written = LZ4F_compressFrame(
                space.baseAddress, space.count, input.baseAddress, input.count, &preferences)
            precondition(LZ4F_isError(written) == 0, "the bound holds all output")
            return written
        }
    }
}
