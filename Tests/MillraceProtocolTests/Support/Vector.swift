import Foundation
import TestSupport

/// A line of vectors.tsv: a message that Apache Kafka encoded.
struct Vector {
    var kind: String
    var name: String
    var version: Int16
    var variant: String
    var bytes: [UInt8]
    var json: Substring

    var place: String { "\(kind) \(name) \(version) \(variant)" }

    static let all: [Vector] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Vectors/vectors.tsv")
        // A file that cannot be read shows in the count of vectors.
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").dropFirst().compactMap { line in
            let cells = line.split(
                separator: "\t", maxSplits: 5, omittingEmptySubsequences: false)
            guard cells.count == 6, let version = Int16(cells[2]), let bytes = Hex.bytes(cells[4])
            else { return nil }
            return Vector(
                kind: String(cells[0]), name: String(cells[1]), version: version,
                variant: String(cells[3]), bytes: bytes, json: cells[5])
        }
    }()
}
