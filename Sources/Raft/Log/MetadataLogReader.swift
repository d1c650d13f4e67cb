package import MillraceBase
internal import MillraceRecords

/// Turns the bytes of the metadata log's segments into entries.
package struct MetadataLogReader {
    private let contexts = CodecContexts()
    /// The entries so far, without those before `start`.
    package private(set) var entries: [RaftEntry] = []
    /// Where the next batch must begin; nil before the first.
    private var next: Offset?
    /// Entries that end here or before are left out: a snapshot has them.
    private let start: Offset
    private let bytesMax: Int

    /// - Parameters:
    ///   - start: where the snapshot ends that the image was loaded from; 0 without one.
    ///   - bytesMax: how many bytes a batch may have once decompressed.
    package init(from start: Offset, bytesMax: Int = 256 << 20) {
        (self.start, self.bytesMax) = (start, bytesMax)
    }

    /// Reads one segment; segments come in order.
    ///
    /// - Parameter isLast: what follows the last whole batch is then a torn tail, to be cut off,
    ///   and no fault.
    /// - Returns: how many bytes hold whole batches.
    package mutating func read(
        _ bytes: UnsafeRawBufferPointer, isLast: Bool
    ) throws(RaftError) -> Int {
        var batches = BatchIterator(bytes)
        var position = 0
        while true {
            do throws(RecordsError) {
                guard let (header, batch) = try batches.next() else { return position }
                try header.checkCRC(batch)
                if let gap = gap(before: header) { throw gap }
                let entry = try entry(header, batch)
                next = header.nextOffset
                if entry.end > start { entries.append(entry) }
                position = batches.position
            } catch {
                if case .refused = error, isLast { return position }
                if case .corrupt = error, isLast { return position }
                throw .corrupt(error)
            }
        }
    }

    /// The entries, which follow the snapshot without a gap.
    package func finish() throws(RaftError) -> [RaftEntry] {
        if let first = entries.first, first.baseOffset != start {
            throw .gap(expected: start, found: first.baseOffset)
        }
        return entries
    }

    private func gap(before header: RecordBatchHeader) -> RecordsError? {
        guard let next, header.baseOffset != next else { return nil }
        return .invalid(
            "the batch at \(header.baseOffset.rawValue) should begin at \(next.rawValue)",
            records: [])
    }

    private func entry(
        _ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer
    ) throws(RecordsError) -> RaftEntry {
        guard header.lastOffsetDelta >= 0 else {
            throw .invalid("a batch ends before it begins", records: [])
        }
        let isControl = header.attributes.isControl
        let values = isControl ? [] : try Self.values(header, batch, contexts, bytesMax)
        return RaftEntry(
            baseOffset: header.baseOffset, end: header.nextOffset, epoch: header.leaderEpoch,
            timestamp: header.maxTimestamp, isControl: isControl, values: values,
            byteCount: header.byteCount)
    }

    /// The values of a batch's records.
    static func values(
        _ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer, _ contexts: CodecContexts,
        _ bytesMax: Int
    ) throws(RecordsError) -> [[UInt8]] {
        try RecordPayload.withRecords(
            of: header, in: batch, contexts: contexts, limit: bytesMax
        ) { payload throws(RecordsError) -> [[UInt8]] in
            var records = RecordIterator(payload: payload, count: header.recordCount)
            var values: [[UInt8]] = []
            while let record = try records.next() {
                guard let value = record.value else {
                    throw .invalid("a record of the metadata log has no value", records: [])
                }
                values.append(Array(value))
            }
            guard values.count == Int(header.lastOffsetDelta) + 1 else {
                throw .invalid("a batch's records are not those that it counts", records: [])
            }
            return values
        }
    }
}
