package import MillraceBase

/// What a batch's attributes say (magic 2).
package struct BatchAttributes: RawRepresentable, Hashable, Sendable {
    package var rawValue: Int16
    package init(rawValue: Int16) { self.rawValue = rawValue }

    package init(
        codec: CompressionCodec = .none, isLogAppendTime: Bool = false,
        isTransactional: Bool = false, isControl: Bool = false
    ) {
        rawValue = Int16(codec.rawValue)
        if isLogAppendTime { rawValue |= 1 << 3 }
        if isTransactional { rawValue |= 1 << 4 }
        if isControl { rawValue |= 1 << 5 }
    }

    /// The codec's number, which may be none that exists.
    package var codecNumber: Int8 { Int8(rawValue & 7) }
    package var isLogAppendTime: Bool { rawValue & 1 << 3 != 0 }
    package var isTransactional: Bool { rawValue & 1 << 4 != 0 }
    package var isControl: Bool { rawValue & 1 << 5 != 0 }
    package var hasDeleteHorizon: Bool { rawValue & 1 << 6 != 0 }

    /// - Throws: `.unknownCodec`.
    package func codec() throws(RecordsError) -> CompressionCodec {
        guard let codec = CompressionCodec(rawValue: codecNumber) else {
            throw .unknownCodec(codecNumber)
        }
        return codec
    }
}

/// The 61 bytes before a batch's records, read once. Format: magic 2 (KIP-98).
///
/// `reading` checks that the bytes hold the batch whole; it checks neither CRC nor records.
package struct RecordBatchHeader: Hashable, Sendable {
    /// Bytes of the header, records not counted.
    package static let size = 61
    /// Bytes before those that `batchLength` counts.
    package static let overhead = 12
    /// Where the bytes begin that the CRC covers.
    package static let checksumStart = 21

    package var baseOffset: Offset
    /// Bytes that follow the first twelve.
    package var batchLength: Int32
    package var leaderEpoch: LeaderEpoch
    package var magic: Int8
    package var crc: UInt32
    package var attributes: BatchAttributes
    package var lastOffsetDelta: Int32
    package var baseTimestamp: Timestamp
    package var maxTimestamp: Timestamp
    package var producerID: Int64
    package var producerEpoch: Int16
    package var baseSequence: Int32
    package var recordCount: Int32

    /// Bytes of the whole batch.
    package var byteCount: Int { Self.overhead + Int(batchLength) }
    /// Offset of the last record; inclusive.
    package var lastOffset: Offset { baseOffset + Int64(lastOffsetDelta) }
    /// Offset after the last record.
    package var nextOffset: Offset { baseOffset + (Int64(lastOffsetDelta) + 1) }
    package var hasProducerID: Bool { producerID >= 0 }
    /// The last record's sequence; sequences go from Int32.max to 0.
    package var lastSequence: Int32 {
        guard baseSequence >= 0 else { return baseSequence }
        return Int32(
            truncatingIfNeeded: (Int64(baseSequence) + Int64(lastOffsetDelta)) & 0x7FFF_FFFF)
    }

    /// Reads the header of the batch that begins at `bytes`' start, which may hold more after it.
    ///
    /// - Throws: `.corrupt` if the magic is not 2 or the length is less than a header's;
    ///   `.refused` if the bytes end before the batch does, or the magic is 0 or 1.
    package init(reading bytes: UnsafeRawBufferPointer) throws(RecordsError) {
        try self.init(prefix: bytes, available: bytes.count)
    }

    /// The same where only the batch's first bytes are at hand.
    /// - Parameters:
    ///   - bytes: at least `size` bytes, or all that there are.
    ///   - available: how many bytes there are from the batch's start on, such as in a file.
    package init(
        prefix bytes: UnsafeRawBufferPointer, available: Int
    ) throws(RecordsError) {
        guard bytes.count >= 17 else {
            throw .refused("the bytes end before a batch's size and magic")
        }
        let length = Self.load(bytes, 8, Int32.self)
        let magic = Self.load(bytes, 16, Int8.self)
        guard length >= 14 else {
            throw .corrupt("a batch of \(length) bytes is less than any batch")
        }
        guard (0...2).contains(magic) else {
            throw .corrupt("magic \(magic) is no version of a batch")
        }
        guard available - Self.overhead >= Int(length) else {
            throw .refused("the bytes end before the batch does")
        }
        guard magic == 2 else {
            throw .refused("magic \(magic) is older than this protocol's versions")
        }
        guard Int(length) >= Self.size - Self.overhead, bytes.count >= Self.size else {
            throw .corrupt("a batch of \(length) bytes is less than its header")
        }
        baseOffset = Offset(Self.load(bytes, 0, Int64.self))
        batchLength = length
        leaderEpoch = LeaderEpoch(Self.load(bytes, 12, Int32.self))
        self.magic = magic
        crc = Self.load(bytes, 17, UInt32.self)
        attributes = BatchAttributes(rawValue: Self.load(bytes, 21, Int16.self))
        lastOffsetDelta = Self.load(bytes, 23, Int32.self)
        baseTimestamp = Timestamp(Self.load(bytes, 27, Int64.self))
        maxTimestamp = Timestamp(Self.load(bytes, 35, Int64.self))
        producerID = Self.load(bytes, 43, Int64.self)
        producerEpoch = Self.load(bytes, 51, Int16.self)
        baseSequence = Self.load(bytes, 53, Int32.self)
        recordCount = Self.load(bytes, 57, Int32.self)
    }

    /// Checks the CRC of the batch at `bytes`' start.
    /// - Throws: `.corrupt`.
    package func checkCRC(_ bytes: UnsafeRawBufferPointer) throws(RecordsError) {
        let covered = UnsafeRawBufferPointer(rebasing: bytes[Self.checksumStart..<byteCount])
        let found = crc32c(covered)
        guard found == crc else {
            throw .corrupt("the batch's CRC is \(crc), that of its bytes \(found)")
        }
    }

    /// Stamps offset and leader epoch, which the CRC does not cover, on the batch at `bytes`.
    package static func stamp(
        _ bytes: UnsafeMutableRawBufferPointer, baseOffset: Offset, leaderEpoch: LeaderEpoch
    ) {
        precondition(bytes.count >= size, "a batch has a header")
        bytes.storeBytes(of: baseOffset.rawValue.bigEndian, toByteOffset: 0, as: Int64.self)
        bytes.storeBytes(of: leaderEpoch.rawValue.bigEndian, toByteOffset: 12, as: Int32.self)
    }

    /// Writes the CRC of the batch at `bytes`' start, after a field that it covers has changed.
    package static func restampCRC(_ bytes: UnsafeMutableRawBufferPointer, byteCount: Int) {
        let covered = UnsafeRawBufferPointer(rebasing: bytes[checksumStart..<byteCount])
        bytes.storeBytes(of: crc32c(covered).bigEndian, toByteOffset: 17, as: UInt32.self)
    }

    @inline(__always)
    private static func load<T: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, _ position: Int, _: T.Type
    ) -> T {
        T(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
    }
}

/// The batches of a run of bytes, one after the other, headers only.
package struct BatchIterator {
    private let bytes: UnsafeRawBufferPointer
    /// Where the next batch begins.
    package private(set) var position = 0

    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next batch: its header and its bytes in place. Nil at the end.
    /// - Throws: as `RecordBatchHeader(reading:)`; a cut batch at the end is `.refused`.
    package mutating func next() throws(RecordsError) -> (
        header: RecordBatchHeader, bytes: UnsafeRawBufferPointer
    )? {
        guard position < bytes.count else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
        let header = try RecordBatchHeader(reading: rest)
        position += header.byteCount
        return (header, UnsafeRawBufferPointer(rebasing: rest[..<header.byteCount]))
    }
}
