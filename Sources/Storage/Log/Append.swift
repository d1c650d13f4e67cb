package import MillraceBase

/// Bytes that go to an index file together with an append.
struct SideWrite: Sendable {
    let file: any OpenFile
    let position: Int64
    let bytes: [UInt8]
}

/// An append that has its offsets and its place, and is not yet written: step one of two.
///
/// The runner calls `perform` (inline, or on a disk thread, in the order of staging), then tells
/// the log `written` or `failed` on the log's own thread. Nothing reads the bytes before that.
package struct StagedAppend: Sendable {
    /// Counts appends of this log: `written` is told in this order.
    package let number: UInt64
    package let file: any OpenFile
    /// Where in the file the bytes go.
    package let position: Int64
    package let byteCount: Int
    package let baseOffset: Offset
    /// Inclusive.
    package let lastOffset: Offset
    /// The largest timestamp; with LogAppendTime the broker's time of the append.
    package let maxTimestamp: Timestamp
    /// −1 unless the topic has LogAppendTime: what a Produce answer says.
    package let logAppendTime: Timestamp
    let extras: Extras?

    /// What few appends have: by reference, so that handing an append on stays cheap.
    final class Extras: Sendable {
        let replacement: [UInt8]?
        let indexWrites: [SideWrite]

        init(replacement: [UInt8]?, indexWrites: [SideWrite]) {
            (self.replacement, self.indexWrites) = (replacement, indexWrites)
        }
    }

    /// The bytes to write instead of the caller's, where the batch was encoded again.
    package var replacement: [UInt8]? { extras?.replacement }

    /// Writes the bytes to the page cache. Blocks as long as the system does.
    /// - Parameter bytes: those that were staged; ignored where there is a replacement.
    package func perform(_ bytes: UnsafeRawBufferPointer) throws(FileFault) {
        if let replacement = extras?.replacement {
            try file.write(replacement, at: position)
        } else {
            precondition(bytes.count == byteCount, "what was staged is what is written")
            try file.write(bytes, at: position)
        }
        guard let extras else { return }
        for write in extras.indexWrites { try write.file.write(write.bytes, at: write.position) }
    }
}

/// Why a batch is not appended. The broker maps each case to one error code.
package enum AppendRefusal: Hashable, Sendable {
    /// Not the sequence that follows: OUT_OF_ORDER_SEQUENCE_NUMBER.
    case outOfOrderSequence(producerID: Int64, expected: Int32, found: Int32)
    /// Older than the producer's epoch: INVALID_PRODUCER_EPOCH.
    case invalidProducerEpoch(producerID: Int64, current: Int16, found: Int16)
    /// Not transactional while the producer's transaction is open: INVALID_TXN_STATE.
    case transactionOpen(producerID: Int64)
    /// A replica's batch does not follow the log's end, which is `end`.
    case unexpectedOffset(end: Offset)
    /// Larger than a segment may be: RECORD_LIST_TOO_LARGE.
    case largerThanSegment(limit: Int64)
}

/// A batch that is in the log already: the producer sent it again.
/// It is acknowledged when the log is known to hold `lastOffset`, as the first time.
package struct DuplicateAppend: Hashable, Sendable {
    package let baseOffset: Offset
    /// Inclusive.
    package let lastOffset: Offset
    /// The batch's largest timestamp: Kafka answers it as the append time.
    package let timestamp: Timestamp
}

/// What became of a batch.
package enum AppendOutcome: Sendable {
    case staged(StagedAppend)
    case duplicate(DuplicateAppend)
    case refused(AppendRefusal)
}

/// A request to make everything written so far durable. `perform` runs on a disk thread; the log is
/// then told `flushed` or `failed`.
package struct FlushJob: Sendable {
    /// The end of what it makes durable; exclusive.
    package let end: Offset
    let files: [any OpenFile]
    let directories: [String]
    let fileSystem: any FileSystem

    /// Syncs the files, then the directories that got new names. Blocks.
    package func perform() throws(FileFault) {
        for file in files { try file.sync() }
        for directory in directories { try fileSystem.syncDirectory(directory) }
    }
}

/// Files of removed segments whose `file.delete.delay.ms` has passed; for a disk thread.
package struct RemovalJob: Sendable {
    package let paths: [String]
    let fileSystem: any FileSystem

    /// Removes the files. Blocks.
    package func perform() throws(FileFault) {
        for path in paths { try fileSystem.removeIfPresent(path) }
    }
}
