import MillraceBase
import MillraceRecords

/// Reads a segment whole, checks each batch, and makes its indexes anew.
///
/// A batch is sound if its magic, its size and its CRC are right and its offsets fit the segment.
/// Offsets that go back are not cut: Kafka keeps such batches too, and cutting what may have been
/// acknowledged is worse than serving it twice.
enum SegmentRecovery {
    /// How much is read at once.
    static let chunk = 1 << 20

    /// What was found.
    struct Outcome {
        /// Bytes of sound batches, from the segment's start.
        var validBytes: Int64
        /// After the last sound batch.
        var nextOffset: Offset
        /// Why it stopped before the file's end; nil if all is sound.
        var defect: String?
    }

    /// - Parameter visit: is called with each sound batch and, of a transaction's end, the epoch
    ///   of its coordinator.
    static func run(
        _ segment: Segment, config: LogConfig, visit: (RecordBatchHeader, Int32?) -> Void
    ) throws(FileFault) -> Outcome {
        let file = try segment.log.open()
        try segment.indexes.reset()
        var outcome = Outcome(validBytes: 0, nextOffset: segment.baseOffset, defect: nil)
        var scanner = BatchScanner(file, from: 0, to: try file.size(), chunk: chunk)
        scan: while true {
            switch try scanner.nextBatch() {
            case .batch(let header, let position):
                guard header.lastOffsetDelta >= 0, header.baseOffset >= segment.baseOffset,
                    header.lastOffset - segment.baseOffset <= Int64(Int32.max)
                else {
                    outcome.defect = "the batch's offsets do not fit the segment"
                    break scan
                }
                try segment.indexes.append(
                    lastOffset: header.lastOffset, maxTimestamp: header.maxTimestamp,
                    position: position, byteCount: header.byteCount,
                    interval: config.indexIntervalBytes)
                outcome.validBytes = position + Int64(header.byteCount)
                outcome.nextOffset = header.nextOffset
                let marker = scanner.withBytes(of: header, at: position) {
                    ControlMarker.coordinatorEpoch(header, $0)
                }
                visit(header, marker)
            case .end: break scan
            case .bad(_, let reason):
                outcome.defect = reason
                break scan
            }
        }
        try segment.finish()
        return outcome
    }
}

extension BatchScanner {
    /// The next batch whose header suits; the end, or what is bad, if there is none.
    mutating func next(where suits: (RecordBatchHeader) -> Bool) throws(FileFault) -> Step {
        while true {
            let step = try nextHeader()
            guard case .batch(let header, _) = step, !suits(header) else { return step }
        }
    }
}
