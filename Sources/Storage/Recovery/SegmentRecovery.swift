import MillraceBase
import MillraceRecords

/// Reads a segment whole, checks each batch, and makes its indexes anew.
///
/// A batch is sound if its magic, its size and its CRC are right and its offsets follow. The CRC
/// does not cover the base offset, so that a torn write, or a flipped bit, may leave a batch that
/// is right but for that: where the next batch says what it was, it is mended; where it goes back,
/// the log is cut. A batch that merely stands there twice stays, as in Kafka, and so do gaps, which
/// compaction makes.
struct SegmentRecovery {
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

    private enum Verdict {
        case sound(RecordBatchHeader)
        case defect(String)
    }

    private let segment: Segment
    private let file: any OpenFile
    private let size: Int64
    private let mends: Bool
    private var outcome: Outcome
    private var previous: RecordBatchHeader?

    /// - Parameters:
    ///   - mends: whether offsets are written anew, as after an unclean stop.
    ///   - visit: is called with each sound batch and, of a transaction's end, the epoch of its
    ///     coordinator.
    static func run(
        _ segment: Segment, config: LogConfig, mends: Bool = false,
        visit: (RecordBatchHeader, Int32?) -> Void
    ) throws(FileFault) -> Outcome {
        let file = try segment.log.open()
        var recovery = SegmentRecovery(
            segment: segment, file: file, size: try file.size(), mends: mends,
            outcome: Outcome(validBytes: 0, nextOffset: segment.baseOffset, defect: nil))
        try segment.indexes.reset()
        try recovery.scan(interval: config.indexIntervalBytes, visit)
        try segment.finish()
        return recovery.outcome
    }

    private mutating func scan(
        interval: Int, _ visit: (RecordBatchHeader, Int32?) -> Void
    ) throws(FileFault) {
        var scanner = BatchScanner(file, from: 0, to: size, chunk: Self.chunk)
        while true {
            switch try scanner.nextBatch() {
            case .batch(let found, let position):
                let header: RecordBatchHeader
                switch try judge(found, at: position) {
                case .sound(let sound): header = sound
                case .defect(let reason):
                    outcome.defect = reason
                    return
                }
                try segment.indexes.append(
                    lastOffset: header.lastOffset, maxTimestamp: header.maxTimestamp,
                    position: position, byteCount: header.byteCount, interval: interval)
                outcome.validBytes = position + Int64(header.byteCount)
                outcome.nextOffset = header.nextOffset
                previous = header
                let marker = scanner.withBytes(of: found, at: position) {
                    ControlMarker.coordinatorEpoch(found, $0)
                }
                visit(header, marker)
            case .end: return
            case .bad(_, let reason):
                outcome.defect = reason
                return
            }
        }
    }

    private func judge(
        _ header: RecordBatchHeader, at position: Int64
    ) throws(FileFault) -> Verdict {
        guard header.lastOffsetDelta >= 0 else { return .defect("the batch ends before it begins") }
        let expected = outcome.nextOffset
        if mends, header.baseOffset != expected,
            try nextBase(after: header, at: position) == expected
                + (Int64(header.lastOffsetDelta) + 1)
        {
            var mended = header
            mended.baseOffset = expected
            let bytes = (0..<8).map {
                UInt8(truncatingIfNeeded: expected.rawValue >> (56 - 8 * Int64($0)))
            }
            try file.write(bytes, at: position)
            return .sound(mended)
        }
        if header.baseOffset < expected, mends || header.baseOffset < segment.baseOffset {
            let isDouble =
                header.baseOffset == previous?.baseOffset && header.crc == previous?.crc
            guard isDouble else { return .defect("the batch's offsets go back") }
        }
        guard header.lastOffset - segment.baseOffset <= Int64(Int32.max) else {
            return .defect("the batch's offsets do not fit the segment")
        }
        return .sound(header)
    }

    private func nextBase(
        after header: RecordBatchHeader, at position: Int64
    ) throws(FileFault) -> Offset? {
        var scanner = BatchScanner(
            file, from: position + Int64(header.byteCount), to: size, chunk: 64)
        guard case .batch(let next, _) = try scanner.nextHeader() else { return nil }
        return next.baseOffset
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
