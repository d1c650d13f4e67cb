import MillraceBase
import MillraceRecords

/// Finds the end of a segment that was closed well, and takes its indexes up again.
enum TailScan {
    /// Reads the headers after the last index entry.
    /// - Returns: the offset after the last batch; nil if the indexes do not fit the batches, or
    ///   something else than batches follows: then the segment is to be recovered.
    static func end(of segment: Segment) throws(FileFault) -> Offset? {
        let indexes = segment.indexes
        let last = try indexes.lastOffsetEntry()
        if let last, last.offset <= segment.baseOffset || last.position >= segment.size {
            return nil
        }
        var maxTime = TimeIndexEntry(timestamp: .none, offset: segment.baseOffset)
        if let time = try indexes.lastTimeEntry() { maxTime = time }
        let start = last?.position ?? 0
        var next = segment.baseOffset
        var expected = last?.offset
        var scanner = BatchScanner(try segment.log.open(), from: start, to: segment.size)
        while true {
            switch try scanner.nextHeader() {
            case .batch(let header, _):
                if let expected, header.lastOffset != expected { return nil }
                expected = nil
                guard header.lastOffsetDelta >= 0, header.baseOffset >= segment.baseOffset else {
                    return nil
                }
                next = header.nextOffset
                if header.maxTimestamp > maxTime.timestamp {
                    maxTime = TimeIndexEntry(
                        timestamp: header.maxTimestamp, offset: header.lastOffset)
                }
            case .end(let position):
                indexes.resume(
                    maxTime: maxTime, lastIndexed: last?.offset ?? segment.baseOffset,
                    bytesSinceEntry: position - start)
                segment.reset(size: segment.size)
                return next
            case .bad: return nil
            }
        }
    }
}

/// Ends a cleaning that a crash interrupted after its result was complete: files with the suffix
/// `.swap` take the place of the segments that they replace.
struct SwapCompletion {
    let folder: LogFolder

    func run(_ names: [String]) throws(FileFault) {
        let swaps = names.filter { $0.hasSuffix(".swap") }
        for name in swaps {
            guard let (base, kind) = SegmentFileKind.parse(name.dropLast(5)), kind == .log else {
                continue
            }
            let end = try endOffset(of: name, base: Offset(base))
            for other in names {
                guard let (offset, _) = SegmentFileKind.parse(other), offset >= base,
                    offset < end.rawValue, !other.hasSuffix(".snapshot")
                else { continue }
                try folder.fileSystem.removeIfPresent(folder.path(other))
            }
        }
        for name in swaps {
            try folder.fileSystem.rename(
                folder.path(name), to: folder.path(String(name.dropLast(5))))
        }
        try folder.fileSystem.syncDirectory(folder.path)
    }

    private func endOffset(of name: String, base: Offset) throws(FileFault) -> Offset {
        let file = try folder.fileSystem.open(folder.path(name), .read)
        var scanner = BatchScanner(file, from: 0, to: try file.size(), chunk: 64 << 10)
        var end = base + 1
        while case .batch(let header, _) = try scanner.nextHeader() {
            end = max(end, header.nextOffset)
        }
        return end
    }
}
