package import MillraceBase
internal import MillraceProtocol
internal import MillraceRecords

/// Writes a snapshot: a control batch with the header, batches of records, one with the footer, as
/// Kafka lays it out. Offsets in the file count from 0; every batch bears the snapshot's epoch.
package struct SnapshotWriter: ~Copyable {
    private var writer = ByteWriter(capacity: 4096)
    private let epoch: LeaderEpoch
    private let timestamp: Timestamp
    private var next = Offset.zero
    private var pending: [[UInt8]] = []
    private var pendingBytes = 0
    /// How many bytes of records a batch holds at most.
    private static let batchBytes = 1 << 20

    /// - Parameters:
    ///   - lastTimestamp: of the last entry that the snapshot stands for; 0 for a bootstrap.
    ///   - now: what the file's own batches bear.
    package init(epoch: LeaderEpoch, lastTimestamp: Timestamp, now: Timestamp) {
        (self.epoch, timestamp) = (epoch, now)
        var header = SnapshotHeaderRecord()
        header.lastContainedLogTimestamp = max(lastTimestamp.rawValue, 0)
        writer.writeBytes(
            ControlBatch.bytes(
                .snapshotHeader, header, at: next, epoch: epoch, timestamp: now))
        next = next + 1
    }

    package mutating func append(_ record: [UInt8]) {
        pending.append(record)
        pendingBytes += record.count
        if pendingBytes >= Self.batchBytes { flush() }
    }

    private mutating func flush() {
        guard !pending.isEmpty else { return }
        writer.writeBytes(
            RecordsBatch.bytes(pending, at: next, epoch: epoch, timestamp: timestamp))
        next = next + Int64(pending.count)
        (pending, pendingBytes) = ([], 0)
    }

    /// The whole file.
    package consuming func finish() -> [UInt8] {
        flush()
        writer.writeBytes(
            ControlBatch.bytes(
                .snapshotFooter, SnapshotFooterRecord(), at: next, epoch: epoch,
                timestamp: timestamp))
        return writer.array()
    }
}

/// Reads a snapshot file, also those that `storage format` writes.
package enum SnapshotReader {
    /// The records of a snapshot, in order. A file without its footer was not finished.
    ///
    /// - Throws: `.corrupt`, `.invalidSnapshot`.
    package static func records(
        _ bytes: UnsafeRawBufferPointer, bytesMax: Int = 256 << 20
    ) throws(RaftError) -> [[UInt8]] {
        let contexts = CodecContexts()
        var batches = BatchIterator(bytes)
        var records: [[UInt8]] = []
        var (hasHeader, hasFooter) = (false, false)
        do throws(RecordsError) {
            while let (header, batch) = try batches.next() {
                try header.checkCRC(batch)
                guard !hasFooter else { break }
                if header.attributes.isControl {
                    for kind in try kinds(header, batch, contexts, bytesMax) {
                        if kind == .snapshotHeader { hasHeader = true }
                        if kind == .snapshotFooter { hasFooter = true }
                    }
                } else {
                    records += try MetadataLogReader.values(header, batch, contexts, bytesMax)
                }
            }
        } catch {
            throw .corrupt(error)
        }
        guard hasHeader, hasFooter else {
            throw .invalidSnapshot(hasHeader ? "it has no footer" : "it has no header")
        }
        return records
    }

    private static func kinds(
        _ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer, _ contexts: CodecContexts,
        _ bytesMax: Int
    ) throws(RecordsError) -> [ControlBatch.Kind] {
        try RecordPayload.withRecords(
            of: header, in: batch, contexts: contexts, limit: bytesMax
        ) { payload throws(RecordsError) -> [ControlBatch.Kind] in
            var records = RecordIterator(payload: payload, count: header.recordCount)
            var kinds: [ControlBatch.Kind] = []
            while let record = try records.next() {
                if let kind = ControlBatch.Kind(key: record.key) { kinds.append(kind) }
            }
            return kinds
        }
    }
}
