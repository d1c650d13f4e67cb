package import MillraceBase
package import MillraceRecords

extension PartitionLog {
    /// Gives a client's batch, which the validator found good, its offsets and its place.
    ///
    /// Offset and leader epoch are stamped in place; the CRC does not cover them.
    /// - Parameter bytes: exactly the batch; not used where it was encoded again.
    package func stage(
        _ batch: ValidatedBatch, in bytes: UnsafeMutableRawBufferPointer, leaderEpoch: LeaderEpoch,
        now: Moment
    ) throws(StorageError) -> AppendOutcome {
        try folder.checkOnline()
        if let duplicate = producerStates.duplicate(of: batch.header) {
            return .duplicate(duplicate)
        }
        if let refusal = producerStates.check(batch.header) { return .refused(refusal) }
        var header = batch.header
        if let refusal = stamp(&header, leaderEpoch: leaderEpoch) { return .refused(refusal) }
        var replacement = batch.replacement
        if replacement != nil {
            replacement?.withUnsafeMutableBytes {
                RecordBatchHeader.stamp(
                    $0, baseOffset: header.baseOffset, leaderEpoch: leaderEpoch)
            }
        } else {
            RecordBatchHeader.stamp(
                bytes, baseOffset: header.baseOffset, leaderEpoch: leaderEpoch)
        }
        return .staged(try place(header, marker: nil, replacement: replacement, now: now))
    }

    /// The same for a batch that this node built itself (coordinators), without producer checks.
    package func stage(
        built batch: inout [UInt8], leaderEpoch: LeaderEpoch, now: Moment
    ) throws(StorageError) -> AppendOutcome {
        try folder.checkOnline()
        var header = try ownHeader(of: batch)
        if let refusal = stamp(&header, leaderEpoch: leaderEpoch) { return .refused(refusal) }
        batch.withUnsafeMutableBytes {
            RecordBatchHeader.stamp($0, baseOffset: header.baseOffset, leaderEpoch: leaderEpoch)
        }
        let marker = batch.withUnsafeBytes { ControlMarker.coordinatorEpoch(header, $0) }
        return .staged(try place(header, marker: marker, replacement: nil, now: now))
    }

    /// Batches of another replica's or the metadata quorum's log, which have their offsets and
    /// epochs. All go into one segment.
    ///
    /// The caller has checked their CRCs.
    /// - Returns: `.refused(.unexpectedOffset)` if they do not follow the log's end.
    package func stage(
        replica batches: UnsafeRawBufferPointer, now: Moment
    ) throws(StorageError) -> AppendOutcome {
        try folder.checkOnline()
        var headers: [(header: RecordBatchHeader, marker: Int32?)] = []
        var expected = stagedEndOffset
        var iterator = BatchIterator(batches)
        do throws(RecordsError) {
            while let (header, bytes) = try iterator.next() {
                guard header.baseOffset >= expected, header.lastOffsetDelta >= 0 else {
                    return .refused(.unexpectedOffset(end: stagedEndOffset))
                }
                expected = header.nextOffset
                let marker = ControlMarker.coordinatorEpoch(header, bytes)
                headers.append((header, marker))
            }
        } catch {
            throw .malformed(path: folder.path, reason: "a replica's batch: \(error)")
        }
        guard let first = headers.first?.header, let last = headers.last?.header else {
            return .refused(.unexpectedOffset(end: stagedEndOffset))
        }
        guard Int64(batches.count) <= config.segmentBytes else {
            return .refused(.largerThanSegment(limit: config.segmentBytes))
        }
        let maxTimestamp = headers.reduce(Timestamp.none) { max($0, $1.header.maxTimestamp) }
        try folder.guarded { () throws(FileFault) in
            try rollIfDue(
                byteCount: batches.count, first: first.baseOffset, last: last.lastOffset,
                maxTimestamp: maxTimestamp, now: now)
        }
        let segment = active
        let position = segment.size
        for (header, marker) in headers {
            try note(header, marker: marker, in: segment, now: now)
        }
        return .staged(
            try finishStaging(
                segment, from: position, first: first.baseOffset, last: last.lastOffset,
                maxTimestamp: maxTimestamp, replacement: nil, now: now))
    }

    private func ownHeader(of batch: [UInt8]) throws(StorageError) -> RecordBatchHeader {
        let header = batch.withUnsafeBytes { bytes in
            Result { () throws(RecordsError) in try RecordBatchHeader(reading: bytes) }
        }
        do throws(RecordsError) {
            return try header.get()
        } catch {
            throw .malformed(path: folder.path, reason: "a batch of this node: \(error)")
        }
    }

    private func stamp(
        _ header: inout RecordBatchHeader, leaderEpoch: LeaderEpoch
    ) -> AppendRefusal? {
        guard Int64(header.byteCount) <= config.segmentBytes else {
            return .largerThanSegment(limit: config.segmentBytes)
        }
        header.baseOffset = stagedEndOffset
        header.leaderEpoch = leaderEpoch
        return nil
    }

    private func place(
        _ header: RecordBatchHeader, marker: Int32?, replacement: [UInt8]?, now: Moment
    ) throws(StorageError) -> StagedAppend {
        try folder.guarded { () throws(FileFault) in
            try rollIfDue(
                byteCount: header.byteCount, first: header.baseOffset, last: header.lastOffset,
                maxTimestamp: header.maxTimestamp, now: now)
        }
        let segment = active
        let position = segment.size
        try note(header, marker: marker, in: segment, now: now)
        return try finishStaging(
            segment, from: position, first: header.baseOffset, last: header.lastOffset,
            maxTimestamp: header.maxTimestamp, replacement: replacement, now: now)
    }

    /// Notes one batch in indexes, epochs and producers.
    private func note(
        _ header: RecordBatchHeader, marker: Int32?, in segment: Segment, now: Moment
    ) throws(StorageError) {
        let position = try folder.guarded { () throws(FileFault) in
            try segment.stage(header, interval: config.indexIntervalBytes)
        }
        tail.add(
            TailPositions.Entry(
                baseOffset: header.baseOffset, nextOffset: header.nextOffset, position: position,
                byteCount: header.byteCount))
        if let latest = epochs.latest, latest == header.leaderEpoch {
            // As almost always.
        } else if epochs.assign(header.leaderEpoch, at: header.baseOffset) {
            try writeEpochs(durably: false)
        }
        producerStates.update(header, marker: marker, now: now.instant)
    }

    private func finishStaging(
        _ segment: Segment, from position: Int64, first: Offset, last: Offset,
        maxTimestamp: Timestamp, replacement: [UInt8]?, now: Moment
    ) throws(StorageError) -> StagedAppend {
        try folder.guarded { () throws(FileFault) in
            let file = try segment.log.open()
            let offsetWrite = try segment.indexes.offsets.takeWrite()
            let timeWrite = try segment.indexes.times.takeWrite()
            var extras: StagedAppend.Extras?
            if replacement != nil || offsetWrite != nil || timeWrite != nil {
                extras = StagedAppend.Extras(
                    replacement: replacement,
                    indexWrites: [offsetWrite, timeWrite].compactMap { $0 })
            }
            stagedEndOffset = last + 1
            pending.append(
                Pending(
                    number: nextNumber, segment: segment, position: segment.size,
                    end: stagedEndOffset,
                    maxTime: TimeIndexEntry(timestamp: maxTimestamp, offset: last),
                    offsetWrite: offsetWrite, timeWrite: timeWrite, stagedAt: now.instant))
            nextNumber += 1
            return StagedAppend(
                number: nextNumber - 1, file: file, position: position,
                byteCount: Int(segment.size - position), baseOffset: first, lastOffset: last,
                maxTimestamp: maxTimestamp,
                logAppendTime: config.isLogAppendTime ? maxTimestamp : .none,
                extras: extras)
        }
    }

    /// The bytes of this append are written: they can be read from now on.
    /// Told in the order of staging, and not after `failed`.
    package func written(_ append: StagedAppend) {
        guard let done = pending.popFirst(), done.number == append.number else {
            preconditionFailure("appends are written in the order of staging")
        }
        done.segment.wrote(upTo: done.position, maxTime: done.maxTime)
        if let write = done.offsetWrite { done.segment.indexes.offsets.confirm(write) }
        if let write = done.timeWrite { done.segment.indexes.times.confirm(write) }
        endOffset = done.end
        if unflushedSince == nil { unflushedSince = done.stagedAt }
    }

    /// A write or sync failed: the whole directory is offline from now on.
    /// - Returns: true for the directory's first fault.
    @discardableResult
    package func failed(_ fault: FileFault) -> Bool {
        isFlushing = false
        pending.removeAll()
        return folder.directory.takeOffline(fault)
    }

    /// Begins a new segment if the append asks for one.
    private func rollIfDue(
        byteCount: Int, first: Offset, last: Offset, maxTimestamp: Timestamp, now: Moment
    ) throws(FileFault) {
        let segment = active
        guard
            try segment.mustRoll(
                for: byteCount, lastOffset: last, maxTimestamp: maxTimestamp, config: config,
                jitterMs: rollJitterMs(of: segment), now: now.timestamp)
        else { return }
        try roll(at: first, now: now.timestamp)
    }

    /// Begins a new segment at `offset`, which is the staged end or beyond it.
    func roll(at offset: Offset, now: Timestamp) throws(FileFault) {
        precondition(offset >= stagedEndOffset, "a segment begins at the log's end")
        let former = active
        if former.size == 0 {
            // Nothing was appended: the new one takes its place, under another name.
            if former.baseOffset == offset { return }
            former.close()
            for name in former.fileNames() {
                try folder.fileSystem.removeIfPresent(folder.path(name))
            }
            segments.removeLast()
        } else {
            try former.finish()
        }
        try writeSnapshot(at: offset)
        let segment = Segment(folder: folder, baseOffset: offset, now: now)
        try segment.create()
        unsyncedNames += 1
        segments.append(segment)
        tail.removeAll()
    }

    /// Writes what is known of the producers, as of the staged end.
    func writeSnapshot(at offset: Offset) throws(FileFault) {
        let path = folder.path(SegmentFileKind.snapshot.name(of: offset.rawValue))
        try folder.fileSystem.replaceContents(
            path, with: ProducerSnapshotFile.encode(producerStates), durably: false)
        unsyncedFiles.append(path)
    }

    /// How much earlier than `segment.ms` a segment is rolled: not at random, but differently for
    /// each segment of each log, so that a node's logs do not roll in one moment.
    private func rollJitterMs(of segment: Segment) -> Int64 {
        let most = min(config.segmentJitterMs, config.segmentMs)
        guard most > 0 else { return 0 }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ UInt64(bitPattern: segment.baseOffset.rawValue)) &* 0x100_0000_01b3
        return Int64(hash >> 1) % most
    }
}

/// The end of a transaction, as a control batch tells it.
enum ControlMarker {
    /// The epoch of the coordinator that ended the transaction; nil if the batch is another one.
    static func coordinatorEpoch(
        _ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer
    ) -> Int32? {
        guard header.attributes.isControl, header.attributes.codecNumber == 0,
            batch.count >= header.byteCount
        else { return nil }
        let payload = UnsafeRawBufferPointer(
            rebasing: batch[RecordBatchHeader.size..<header.byteCount])
        var records = RecordIterator(payload: payload, count: header.recordCount)
        // A control batch that cannot be read ends no transaction.
        guard let record = try? records.next(), let key = record.key, key.count >= 4,
            let value = record.value, value.count >= 6
        else { return nil }
        let kind = Int16(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: Int16.self))
        guard kind == 0 || kind == 1 else { return nil }
        return Int32(bigEndian: value.loadUnaligned(fromByteOffset: 2, as: Int32.self))
    }
}
