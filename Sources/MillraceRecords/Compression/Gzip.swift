internal import CMillraceCodecs
internal import MillraceBase

/// gzip by zlib (RFC 1952); several members one after the other are read as one, as Java does.
enum Gzip {
    private static let gzipWindow: Int32 = 15 + 16  // 16 asks zlib for the gzip wrapper

    static func decompress(
        _ input: UnsafeRawBufferPointer, limit: Int
    ) throws(RecordsError) -> [UInt8] {
        var stream = z_stream()
        let version = ZLIB_VERSION
        guard
            inflateInit2_(&stream, gzipWindow, version, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw .undecodable(.gzip) }
        defer { inflateEnd(&stream) }
        let bytes = input.bindMemory(to: UInt8.self)
        stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
        stream.avail_in = UInt32(clamping: bytes.count)
        var output = BoundedOutput(limit: limit)
        while true {
            var status: Int32 = Z_OK
            try output.fill(hint: input.count * 3) { space in
                stream.next_out = space.bindMemory(to: UInt8.self).baseAddress
                stream.avail_out = UInt32(clamping: space.count)
                let offered = stream.avail_out
                status = inflate(&stream, Z_NO_FLUSH)
                return Int(offered - stream.avail_out)
            }
            switch status {
            case Z_STREAM_END:
                if stream.avail_in == 0 { return output.bytes }
                guard inflateReset(&stream) == Z_OK else { throw .undecodable(.gzip) }
            case Z_OK where stream.avail_in > 0 || stream.avail_out == 0: continue
            default: throw .undecodable(.gzip)  // damaged, or it ends too early
            }
        }
    }

    static func compress(
        _ input: UnsafeRawBufferPointer, level: Int32, into output: inout ByteWriter
    ) {
        var stream = z_stream()
        let status = deflateInit2_(
            &stream, level, Z_DEFLATED, gzipWindow, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "zlib takes its own levels: \(level)")
        defer { deflateEnd(&stream) }
        let bytes = input.bindMemory(to: UInt8.self)
        stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
        stream.avail_in = UInt32(bytes.count)
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        output.writeUninitialized(atMost: bound) { space in
            stream.next_out = space.bindMemory(to: UInt8.self).baseAddress
            stream.avail_out = UInt32(space.count)
            let status = deflate(&stream, Z_FINISH)
            precondition(status == Z_STREAM_END, "the bound holds all output")
            return space.count - Int(stream.avail_out)
        }
    }
}
