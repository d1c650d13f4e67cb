internal import CMillraceCodecs
internal import MillraceBase

/// snappy, raw or in the blocks of xerial's snappy-java: both are read, the blocks are written, as
/// Kafka's own broker does.
enum Snappy {
    private static let xerialMagic: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0x00]
    private static let blockBytes = 32 * 1024

    static func decompress(
        _ input: UnsafeRawBufferPointer, limit: Int
    ) throws(RecordsError) -> [UInt8] {
        var output = BoundedOutput(limit: limit)
        guard input.count >= 16, input.prefix(8).elementsEqual(xerialMagic) else {
            try decompressBlock(input, limit: limit, into: &output)
            return output.bytes
        }
        var reader = ByteReader(input, range: 16..<input.count)
        while !reader.isAtEnd {
            let block: UnsafeRawBufferPointer
            do throws(CodecError) {
                block = try reader.readSlice(Int(try reader.readInt32()))
            } catch {
                throw .undecodable(.snappy)
            }
            try decompressBlock(block, limit: limit, into: &output)
        }
        return output.bytes
    }

    private static func decompressBlock(
        _ block: UnsafeRawBufferPointer, limit: Int, into output: inout BoundedOutput
    ) throws(RecordsError) {
        let source = block.bindMemory(to: CChar.self).baseAddress
        var length = 0
        guard snappy_uncompressed_length(source, block.count, &length) == SNAPPY_OK else {
            throw .undecodable(.snappy)
        }
        // The length is the block's claim. Snappy copies at most 64 bytes for 3 of input: a claim
        // beyond 22 times the input is a lie and nothing is allocated for it.
        guard length <= block.count.multipliedReportingOverflow(by: 22).partialValue + 64 else {
            throw .undecodable(.snappy)
        }
        guard length <= limit - output.bytes.count else { throw .inflatesBeyond(limit: limit) }
        var status = SNAPPY_OK
        let plain = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            buffer.withMemoryRebound(to: CChar.self) { space in
                var written = length
                status = snappy_uncompress(source, block.count, space.baseAddress, &written)
                count = status == SNAPPY_OK ? written : 0
            }
        }
        guard status == SNAPPY_OK else { throw .undecodable(.snappy) }
        try output.append(plain)
    }

    static func compress(_ input: UnsafeRawBufferPointer, into output: inout ByteWriter) {
        output.writeBytes(xerialMagic)
        output.writeInteger(1 as Int32)  // version
        output.writeInteger(1 as Int32)  // lowest version that can read it
        var start = 0
        repeat {
            let block = UnsafeRawBufferPointer(
                rebasing: input[start..<min(start + blockBytes, input.count)])
            let lengthAt = output.count
            output.writeInteger(0 as Int32)
            output.writeUninitialized(atMost: snappy_max_compressed_length(block.count)) { space in
                var written = space.count
                let status = snappy_compress(
                    block.bindMemory(to: CChar.self).baseAddress, block.count,
                    space.bindMemory(to: CChar.self).baseAddress, &written)
                precondition(status == SNAPPY_OK, "the bound holds all output")
                return written
            }
            output.overwriteInteger(Int32(output.count - lengthAt - 4), at: lengthAt)
            start += blockBytes
        } while start < input.count
    }
}
