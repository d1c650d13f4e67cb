internal import MillraceBase
package import MillraceRecords

/// Walks over the batches of a file, header by header or batch by batch, in chunks.
///
/// Memory is bounded by the chunk and the largest batch that the file really holds.
package struct BatchScanner: ~Copyable {
    /// What stands at a position.
    package enum Step: Sendable {
        case batch(RecordBatchHeader, position: Int64)
        /// The range ends here.
        case end(position: Int64)
        /// No whole, sound batch begins here.
        case bad(position: Int64, reason: String)
    }

    private let file: any OpenFile
    private let end: Int64
    private let chunk: Int
    private var memory: UnsafeMutableRawBufferPointer
    /// Bytes of the file that `memory` holds: from where, how many.
    private var memoryStart: Int64 = 0
    private var memoryCount = 0
    private var next: Int64

    /// - Parameter end: where the batches end, at most the file's size.
    package init(_ file: any OpenFile, from start: Int64, to end: Int64, chunk: Int = 8 << 10) {
        self.file = file
        self.end = end
        self.chunk = chunk
        next = start
        memory = .allocate(byteCount: chunk, alignment: 16)
    }

    deinit { memory.deallocate() }

    /// The next batch's header; its records are not read.
    package mutating func nextHeader() throws(FileFault) -> Step {
        guard next < end else { return .end(position: next) }
        let available = Int(end - next)
        try load(min(RecordBatchHeader.size, available))
        let position = next
        do throws(RecordsError) {
            let header = try RecordBatchHeader(prefix: window(), available: available)
            next += Int64(header.byteCount)
            return .batch(header, position: position)
        } catch {
            return .bad(position: position, reason: Self.reason(error))
        }
    }

    /// The next batch whole, its CRC checked. `withBytes` gives its bytes.
    package mutating func nextBatch() throws(FileFault) -> Step {
        let step = try nextHeader()
        guard case .batch(let header, let position) = step else { return step }
        next = position
        try load(header.byteCount)
        guard memoryStart + Int64(memoryCount) >= position + Int64(header.byteCount) else {
            return .bad(position: position, reason: "the file ends before the batch does")
        }
        do throws(RecordsError) {
            try header.checkCRC(window())
        } catch {
            return .bad(position: position, reason: Self.reason(error))
        }
        next = position + Int64(header.byteCount)
        return step
    }

    /// The bytes of a batch that `nextBatch` just gave, valid during the call.
    package func withBytes<R>(
        of header: RecordBatchHeader, at position: Int64, _ body: (UnsafeRawBufferPointer) -> R
    ) -> R {
        let start = Int(position - memoryStart)
        precondition(
            start >= 0 && start + header.byteCount <= memoryCount, "only the last batch is at hand")
        return body(
            UnsafeRawBufferPointer(rebasing: memory[start..<start + header.byteCount]))
    }

    private func window() -> UnsafeRawBufferPointer {
        let start = Int(next - memoryStart)
        return UnsafeRawBufferPointer(rebasing: memory[start..<memoryCount])
    }

    /// Makes `count` bytes from `next` on available, if the file has them.
    private mutating func load(_ count: Int) throws(FileFault) {
        let have = memoryStart + Int64(memoryCount) - next
        if next >= memoryStart, have >= Int64(count) { return }
        if count > memory.count {
            memory.deallocate()
            memory = .allocate(byteCount: count, alignment: 16)
        }
        let wanted = min(Int64(max(count, min(chunk, memory.count))), end - next)
        memoryStart = next
        memoryCount = 0
        let target = UnsafeMutableRawBufferPointer(rebasing: memory[..<Int(wanted)])
        memoryCount = try file.read(into: target, at: next)
    }

    private static func reason(_ error: RecordsError) -> String {
        switch error {
        case .corrupt(let text), .refused(let text), .invalid(let text, _): text
        default: "\(error)"
        }
    }
}
