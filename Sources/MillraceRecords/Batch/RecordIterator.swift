internal import MillraceBase

/// One record, its key, value and headers in place in the batch's (decompressed) bytes: valid as
/// long as those are.
package struct RecordView {
    package var attributes: Int8
    package var timestampDelta: Int64
    package var offsetDelta: Int32
    /// Nil is a null key, which is not an empty one.
    package var key: UnsafeRawBufferPointer?
    /// Nil is a null value: a tombstone in a compacted topic.
    package var value: UnsafeRawBufferPointer?
    package var headerCount: Int32
    fileprivate var headerBytes: UnsafeRawBufferPointer

    /// The headers, copied.
    package func headers() throws(RecordsError) -> [RecordHeader] {
        var reader = ByteReader(headerBytes)
        var headers: [RecordHeader] = []
        do throws(CodecError) {
            for _ in 0..<headerCount {
                let key = try reader.readText(Int(try reader.readVarint()))
                let length = try reader.readVarint()
                headers.append(
                    RecordHeader(
                        key: key, value: length < 0 ? nil : try reader.readBytes(Int(length))))
            }
        } catch {
            throw .invalid("a record's headers are malformed", records: [])
        }
        return headers
    }
}

/// A header of a record: a text and bytes or null.
package struct RecordHeader: Hashable, Sendable {
    package var key: String
    package var value: [UInt8]?

    package init(key: String, value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// The records of one batch, read in place from its decompressed payload.
package struct RecordIterator {
    private var reader: ByteReader
    /// Records not yet read, as the batch's header counts them.
    package private(set) var remaining: Int32

    /// - Parameter payload: the bytes after the header, decompressed.
    package init(payload: UnsafeRawBufferPointer, count: Int32) {
        reader = ByteReader(payload)
        remaining = count
    }

    /// Whether bytes follow the last record.
    package var hasTrailingBytes: Bool { remaining <= 0 && !reader.isAtEnd }

    /// The next record, or nil after the last.
    /// - Throws: `.invalid` if its lengths do not fit its bytes.
    @inline(__always)
    package mutating func next() throws(RecordsError) -> RecordView? {
        guard remaining > 0 else { return nil }
        remaining -= 1
        do throws(CodecError) {
            return try read()
        } catch {
            throw .invalid("a record's fields do not fit its bytes", records: [])
        }
    }

    @inline(__always)
    private mutating func read() throws(CodecError) -> RecordView {
        let length = Int(try reader.readShortVarint())
        guard length >= 0, length <= reader.remaining else {
            throw .impossibleLength(at: reader.position)
        }
        let end = reader.position + length
        let attributes = try reader.readInt8()
        let timestampDelta = try reader.readShortVarlong()
        let offsetDelta = try reader.readShortVarint()
        let key = try readNullable()
        let value = try readNullable()
        let headerCount = try reader.readShortVarint()
        guard headerCount >= 0, reader.position <= end, headerCount <= end - reader.position else {
            throw .impossibleLength(at: reader.position)
        }
        let headerStart = reader.position
        if headerCount > 0 { try skipHeaders(headerCount) }
        guard reader.position == end else { throw .impossibleLength(at: reader.position) }
        return RecordView(
            attributes: attributes, timestampDelta: timestampDelta, offsetDelta: offsetDelta,
            key: key, value: value, headerCount: headerCount,
            headerBytes: reader.slice(from: headerStart))
    }

    @inline(__always)
    private mutating func readNullable() throws(CodecError) -> UnsafeRawBufferPointer? {
        let length = try reader.readShortVarint()
        return length < 0 ? nil : try reader.readSlice(Int(length))
    }

    private mutating func skipHeaders(_ count: Int32) throws(CodecError) {
        for _ in 0..<count {
            try reader.skip(Int(try reader.readVarint()))
            let length = try reader.readVarint()
            if length > 0 { try reader.skip(Int(length)) }
        }
    }
}

/// A batch's payload: where it lies, or what came out of its codec.
package enum RecordPayload {
    /// Calls `body` with the decompressed records of the batch at `bytes`.
    ///
    /// - Parameters:
    ///   - bytes: exactly one batch, header included.
    ///   - limit: how many bytes may come out of the codec.
    package static func withRecords<R>(
        of header: RecordBatchHeader, in bytes: UnsafeRawBufferPointer, contexts: CodecContexts,
        limit: Int, _ body: (UnsafeRawBufferPointer) throws(RecordsError) -> R
    ) throws(RecordsError) -> R {
        let payload = UnsafeRawBufferPointer(
            rebasing: bytes[RecordBatchHeader.size..<header.byteCount])
        let codec = try header.attributes.codec()
        guard codec != .none else { return try body(payload) }
        let plain = try contexts.decompress(payload, codec: codec, limit: limit)
        return try withBytes(of: plain, body)
    }

    /// `withUnsafeBytes` with a typed error.
    static func withBytes<R>(
        of array: [UInt8], _ body: (UnsafeRawBufferPointer) throws(RecordsError) -> R
    ) throws(RecordsError) -> R {
        let result = array.withUnsafeBytes { bytes -> Result<R, RecordsError> in
            do throws(RecordsError) { return .success(try body(bytes)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
