package import MillraceBase

/// Kafka's checkpoint files: a version, a count, then a line an entry, fields apart by a blank.
package enum Checkpoint {
    /// Offsets by partition name (`topic-0`), as in `recovery-point-offset-checkpoint`.
    package static func encode(_ offsets: [String: Offset]) -> [UInt8] {
        let lines = offsets.sorted { $0.key < $1.key }.compactMap { name, offset -> String? in
            guard let partition = PartitionName(name) else { return nil }
            return "\(partition.topic) \(partition.index) \(offset.rawValue)"
        }
        return encode(lines: lines)
    }

    /// - Throws: `.malformed`.
    package static func decodeOffsets(
        _ bytes: [UInt8], path: String
    ) throws(StorageError) -> [String: Offset] {
        var offsets: [String: Offset] = [:]
        for line in try decodeLines(bytes, path: path) {
            let fields = line.split(separator: " ", omittingEmptySubsequences: false)
            guard fields.count == 3, let index = Int32(fields[1]), let offset = Int64(fields[2])
            else { throw .malformed(path: path, reason: "no entry of a checkpoint: \(line)") }
            offsets["\(fields[0])-\(index)"] = Offset(offset)
        }
        return offsets
    }

    /// Start offsets of leader epochs, as in `leader-epoch-checkpoint`.
    package static func encode(_ epochs: [EpochStart]) -> [UInt8] {
        encode(lines: epochs.map { "\($0.epoch.rawValue) \($0.start.rawValue)" })
    }

    /// - Throws: `.malformed`.
    package static func decodeEpochs(
        _ bytes: [UInt8], path: String
    ) throws(StorageError) -> [EpochStart] {
        var epochs: [EpochStart] = []
        for line in try decodeLines(bytes, path: path) {
            let fields = line.split(separator: " ", omittingEmptySubsequences: false)
            guard fields.count == 2, let epoch = Int32(fields[0]), let start = Int64(fields[1])
            else { throw .malformed(path: path, reason: "no entry of leader epochs: \(line)") }
            epochs.append(EpochStart(epoch: LeaderEpoch(epoch), start: Offset(start)))
        }
        return epochs
    }

    private static func encode(lines: [String]) -> [UInt8] {
        Array((["0", "\(lines.count)"] + lines).joined(separator: "\n").utf8) + [0x0A]
    }

    private static func decodeLines(
        _ bytes: [UInt8], path: String
    ) throws(StorageError) -> [Substring] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed(path: path, reason: "not a text")
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: true)
        guard !lines.isEmpty else { return [] }
        guard lines[0] == "0" else {
            throw .malformed(path: path, reason: "version \(lines[0]) is not 0")
        }
        guard lines.count >= 2, let count = Int(lines[1]), count == lines.count - 2 else {
            throw .malformed(path: path, reason: "the count of entries does not fit the entries")
        }
        return Array(lines[2...])
    }
}

/// The name of a partition's folder: topic and index, apart by the last hyphen.
package struct PartitionName: Hashable, Sendable {
    package var topic: String
    package var index: Int32

    package init?(_ name: String) {
        guard let hyphen = name.lastIndex(of: "-"), hyphen != name.startIndex,
            let index = Int32(name[name.index(after: hyphen)...]), index >= 0
        else { return nil }
        topic = String(name[..<hyphen])
        self.index = index
    }
}

/// Where a leader epoch begins in a log.
package struct EpochStart: Hashable, Sendable {
    package var epoch: LeaderEpoch
    package var start: Offset

    package init(epoch: LeaderEpoch, start: Offset) {
        self.epoch = epoch
        self.start = start
    }
}
