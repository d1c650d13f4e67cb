package import MillraceBase
internal import MillraceRecords

extension PartitionLog {
    /// A batch and where it is.
    private struct Located {
        var baseOffset: Offset
        var position: Int64
        var byteCount: Int
    }

    /// Batches from the one that holds `offset`, at most `maxBytes`.
    ///
    /// At the log's end it asks no file; elsewhere the offset index and a few headers.
    /// - Parameters:
    ///   - limit: batches at and after it are not returned (high watermark, last stable offset).
    ///   - minOneBatch: give the first batch whole though it is larger than `maxBytes`.
    /// - Returns: nil if there is nothing to return. The caller has checked that `offset` is within
    ///   `startOffset...endOffset`.
    package func read(
        from offset: Offset, maxBytes: Int, upTo limit: Offset, minOneBatch: Bool
    ) throws(StorageError) -> LogSlice? {
        let limit = min(limit, endOffset)
        guard offset >= startOffset, offset < limit else { return nil }
        var index = segmentIndex(for: offset)
        while index < segments.count, segments[index].baseOffset < limit {
            let segment = segments[index]
            if let first = try locate(max(offset, segment.baseOffset), in: segment),
                first.baseOffset < limit
            {
                let end = try position(of: limit, segmentAt: index)
                var count = Int(min(end - first.position, Int64(max(maxBytes, 0))))
                if count < first.byteCount {
                    guard minOneBatch else { return nil }
                    count = first.byteCount
                }
                let file = try folder.guarded { () throws(FileFault) in try segment.log.open() }
                return LogSlice(
                    file: file, position: first.position, byteCount: count,
                    baseOffset: first.baseOffset, segmentBaseOffset: segment.baseOffset)
            }
            // The rest of the segment was compacted away, or a segment is missing.
            index += 1
        }
        return nil
    }

    /// Where the batches before `limit` end in a segment.
    private func position(of limit: Offset, segmentAt index: Int) throws(StorageError) -> Int64 {
        let segment = segments[index]
        let isLast = index + 1 == segments.count
        if limit >= endOffset || !isLast && segments[index + 1].baseOffset <= limit {
            return segment.written
        }
        return try locate(limit, in: segment)?.position ?? segment.written
    }

    /// The first batch of a segment that ends at or after `offset`.
    private func locate(
        _ offset: Offset, in segment: Segment
    ) throws(StorageError) -> Located? {
        if segment === active, let entry = tail.batch(with: offset) {
            return Located(
                baseOffset: entry.baseOffset, position: entry.position,
                byteCount: entry.byteCount)
        }
        let entry = try folder.guarded { () throws(FileFault) in
            try segment.indexes.entry(atOrBefore: offset)
        }
        if let entry {
            if entry.position > 0, entry.position < segment.written,
                case .found(let located) = try scan(
                    segment, from: entry.position, for: offset, expecting: entry.offset)
            {
                return located
            }
            // The index lies. It is made again, and meanwhile the segment tells by itself.
            try rebuildIndexes(of: segment)
        }
        switch try scan(segment, from: 0, for: offset, expecting: nil) {
        case .found(let located): return located
        case .damaged(let position, let reason):
            throw .malformed(
                path: segment.log.path, reason: "at byte \(position): \(reason)")
        }
    }

    private enum ScanResult {
        case found(Located?)
        case damaged(position: Int64, reason: String)
    }

    /// - Parameter expecting: the last offset of the batch at `start`, as the index says.
    private func scan(
        _ segment: Segment, from start: Int64, for offset: Offset, expecting: Offset?
    ) throws(StorageError) -> ScanResult {
        try folder.guarded { () throws(FileFault) in
            var scanner = BatchScanner(try segment.log.open(), from: start, to: segment.written)
            var expecting = expecting
            while true {
                switch try scanner.nextHeader() {
                case .batch(let header, let position):
                    if let expected = expecting, header.lastOffset != expected {
                        return .damaged(position: position, reason: "not what the index says")
                    }
                    expecting = nil
                    if header.lastOffset >= offset {
                        return .found(
                            Located(
                                baseOffset: header.baseOffset, position: position,
                                byteCount: header.byteCount))
                    }
                case .end: return .found(nil)
                case .bad(let position, let reason):
                    return .damaged(position: position, reason: reason)
                }
            }
        }
    }

    /// Makes a closed segment's indexes anew. The last segment's are left: appends go on in them.
    private func rebuildIndexes(of segment: Segment) throws(StorageError) {
        guard segment !== active else { return }
        try folder.guarded { () throws(FileFault) in
            let found = try SegmentRecovery.run(segment, config: config) { _, _ in }
            segment.reset(size: max(found.validBytes, segment.written))
        }
    }

    // Times

    /// The first record at or after `timestamp` and before `limit`; nil if there is none.
    package func offset(
        forTimestamp timestamp: Timestamp, upTo limit: Offset
    ) throws(StorageError) -> TimestampedOffset? {
        let limit = min(limit, endOffset)
        for segment in segments where segment.baseOffset < limit {
            let largest = try folder.guarded { () throws(FileFault) in try segment.largest() }
            guard largest.timestamp >= timestamp else { continue }
            if let found = try firstRecord(notBefore: timestamp, in: segment, limit: limit) {
                return found
            }
        }
        return nil
    }

    private func firstRecord(
        notBefore timestamp: Timestamp, in segment: Segment, limit: Offset
    ) throws(StorageError) -> TimestampedOffset? {
        // All batches up to the entry's are older than `timestamp`, or hold the first that is not.
        let entry = try folder.guarded { () throws(FileFault) in
            try segment.indexes.entry(atOrBefore: timestamp)
        }
        var start = startOffset
        if let entry, entry.offset > start { start = entry.offset }
        let first = try locate(start, in: segment)
        return try search(segment, from: first?.position ?? 0) { header in
            header.maxTimestamp >= timestamp && header.lastOffset >= startOffset
                && header.baseOffset < limit
        } record: { time, offset in
            time >= timestamp && offset >= startOffset && offset < limit
        }
    }

    /// The first record with the largest timestamp of the log (ListOffsets −3); nil if no record
    /// has a timestamp.
    package func offsetOfMaxTimestamp() throws(StorageError) -> TimestampedOffset? {
        var best: (segment: Segment, time: TimeIndexEntry)?
        for segment in segments {
            let largest = try folder.guarded { () throws(FileFault) in try segment.largest() }
            if largest.timestamp > best?.time.timestamp ?? .none { best = (segment, largest) }
        }
        guard let best else { return nil }
        let first = try locate(best.time.offset, in: best.segment)
        return try search(best.segment, from: first?.position ?? 0) { header in
            header.maxTimestamp == best.time.timestamp
        } record: { time, _ in
            time == best.time.timestamp
        }
    }

    /// The first record that suits, in a batch that suits.
    private func search(
        _ segment: Segment, from start: Int64, batch suits: (RecordBatchHeader) -> Bool,
        record isFound: (Timestamp, Offset) -> Bool
    ) throws(StorageError) -> TimestampedOffset? {
        var position = start
        while position < segment.written {
            let step = try folder.guarded { () throws(FileFault) in
                var scanner = BatchScanner(
                    try segment.log.open(), from: position, to: segment.written)
                return try scanner.next(where: suits)
            }
            guard case .batch(let header, let place) = step else { return nil }
            if let found = try record(of: header, at: place, in: segment, where: isFound) {
                return found
            }
            position = place + Int64(header.byteCount)
        }
        return nil
    }

    private func record(
        of header: RecordBatchHeader, at position: Int64, in segment: Segment,
        where isFound: (Timestamp, Offset) -> Bool
    ) throws(StorageError) -> TimestampedOffset? {
        let bytes = try folder.guarded { () throws(FileFault) in
            try segment.log.open().bytes(at: position, count: header.byteCount)
        }
        do throws(RecordsError) {
            let found = bytes.withUnsafeBytes { batch in
                Result { () throws(RecordsError) -> TimestampedOffset? in
                    guard batch.count == header.byteCount else {
                        throw .corrupt("the file ends before the batch does")
                    }
                    return try RecordPayload.withRecords(
                        of: header, in: batch, contexts: contexts,
                        limit: decompressedBytesMax
                    ) { payload throws(RecordsError) -> TimestampedOffset? in
                        var records = RecordIterator(payload: payload, count: header.recordCount)
                        while let record = try records.next() {
                            let time = header.timestamp(of: record)
                            let offset = header.baseOffset + Int64(record.offsetDelta)
                            guard isFound(time, offset) else { continue }
                            return TimestampedOffset(
                                timestamp: time, offset: offset, leaderEpoch: header.leaderEpoch)
                        }
                        return nil
                    }
                }
            }
            return try found.get()
        } catch {
            throw .malformed(
                path: segment.log.path, reason: "the batch at byte \(position): \(error)")
        }
    }

    /// How much one batch may hold decompressed when it is searched.
    private var decompressedBytesMax: Int { 256 << 20 }
}
