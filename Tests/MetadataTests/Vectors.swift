import Foundation
import MillraceBase
import Metadata

/// Recordings of Kafka's metadata log, one record a line.
enum Vectors {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Vectors/metadata")

    static func bytes(hex: some StringProtocol) -> [UInt8] {
        let digits = hex.utf8.map { $0 < 58 ? $0 - 48 : $0 - 87 }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    static func lines(_ name: String) throws -> [Substring] {
        try String(contentsOf: folder.appending(path: name), encoding: .utf8)
            .split(separator: "\n").filter { !$0.hasPrefix("#") }
    }

    /// Offset and bytes of each record.
    static func records(_ name: String) throws -> [(offset: Offset, bytes: [UInt8])] {
        try lines(name).map { line in
            let parts = line.split(separator: " ")
            return (Offset(Int64(parts[0]) ?? -1), bytes(hex: parts[1]))
        }
    }

    /// The image that a recorded snapshot holds.
    static func snapshot(_ name: String, end: Int64) throws -> ClusterImage {
        let records = try records("\(name)-\(end).snapshot").map { try MetadataRecord($0.bytes) }
        return try ClusterImage(snapshot: records, end: Offset(end))
    }
}
