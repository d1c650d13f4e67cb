package import MillraceBase

/// One record of the metadata log: what the node above appended, without a meaning here.
package struct RaftRecord: Hashable, Sendable {
    package var offset: Offset
    package var value: [UInt8]

    package init(offset: Offset, value: [UInt8]) {
        (self.offset, self.value) = (offset, value)
    }
}

/// One batch of the metadata log: appended, made durable and committed as a whole.
package struct RaftEntry: Hashable, Sendable {
    package var baseOffset: Offset
    /// Offset after its last record.
    package var end: Offset
    package var epoch: LeaderEpoch
    package var timestamp: Timestamp
    /// A control batch, which no state machine sees.
    package var isControl: Bool
    /// The values of its records; empty for a control batch.
    package var values: [[UInt8]]
    /// Its size in the log.
    package var byteCount: Int

    package init(
        baseOffset: Offset, end: Offset, epoch: LeaderEpoch, timestamp: Timestamp,
        isControl: Bool, values: [[UInt8]], byteCount: Int
    ) {
        precondition(end > baseOffset, "an entry holds a record")
        (self.baseOffset, self.end, self.epoch) = (baseOffset, end, epoch)
        (self.timestamp, self.isControl) = (timestamp, isControl)
        (self.values, self.byteCount) = (values, byteCount)
    }

    /// Its records with their offsets.
    package var records: [RaftRecord] {
        values.enumerated().map { RaftRecord(offset: baseOffset + Int64($0), value: $1) }
    }
}

/// What names a snapshot: it stands for all records before `end`, the last of which has `epoch`.
package struct SnapshotID: Hashable, Comparable, Sendable {
    package var end: Offset
    package var epoch: LeaderEpoch

    package init(end: Offset, epoch: LeaderEpoch) { (self.end, self.epoch) = (end, epoch) }

    package static func < (a: Self, b: Self) -> Bool { (a.end, a.epoch) < (b.end, b.epoch) }

    /// `<end, 20 digits>-<epoch, 10 digits>.checkpoint`.
    package var fileName: String {
        Self.digits(end.rawValue, 20) + "-" + Self.digits(Int64(epoch.rawValue), 10) + Self.suffix
    }

    /// Reads a file's name; nil if it is no snapshot's.
    package init?(fileName: String) {
        guard fileName.hasSuffix(Self.suffix) else { return nil }
        let parts = fileName.dropLast(Self.suffix.count).split(
            separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count == 20, parts[1].utf8.count == 10,
            let end = Int64(parts[0]), let epoch = Int32(parts[1]), end >= 0, epoch >= 0
        else { return nil }
        self.init(end: Offset(end), epoch: LeaderEpoch(epoch))
    }

    private static let suffix = ".checkpoint"

    private static func digits(_ number: Int64, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}
