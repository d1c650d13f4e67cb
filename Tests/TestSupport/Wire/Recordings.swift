package import Foundation

/// Frames recorded from Apache Kafka: Tests/Golden.
package enum Recordings {
    package static let root = Program.root.appending(path: "Tests/Golden")

    /// A frame of Tests/Golden/traffic.
    package struct Frame: Sendable {
        /// File and number of line.
        package var place: String
        package var isRequest: Bool
        package var api: String
        package var version: Int16
        /// The version of the body, where it is not that of the request.
        package var answerVersion: Int16?
        /// The recorder could not read it either.
        package var isUndecoded: Bool
        /// Bytes after the body.
        package var trailing: Int
        /// With the size.
        package var bytes: [UInt8]
    }

    /// Paths of the recordings of traffic, sorted.
    package static func trafficFiles() throws -> [URL] {
        try ["clients", "cluster"].flatMap { folder in
            try FileManager.default.contentsOfDirectory(
                at: root.appending(path: "traffic/\(folder)"), includingPropertiesForKeys: nil
            ).filter { $0.pathExtension == "zst" }.sorted { $0.path < $1.path }
        }
    }

    /// The frames in the text of a recording: a JSON object a line.
    package static func frames(of text: [UInt8], file: String) throws -> [Frame] {
        var frames: [Frame] = []
        for (number, line) in text.split(separator: UInt8(ascii: "\n")).enumerated() {
            let object = try JSONSerialization.jsonObject(with: Data(line))
            guard let fields = object as? [String: Any], let hex = fields["hex"] as? String,
                let bytes = Hex.bytes(hex), let api = fields["api"] as? String
            else { continue }
            frames.append(
                Frame(
                    place: "\(file):\(number + 1)",
                    isRequest: fields["dir"] as? String == "request",
                    api: api, version: Int16(fields["version"] as? Int ?? -1),
                    answerVersion: (fields["answer_version"] as? Int).map { Int16($0) },
                    isUndecoded: fields["undecoded"] != nil,
                    trailing: fields["trailing_bytes"] == nil
                        ? 0 : (fields["trailing_bytes"] as? Int) ?? 1,
                    bytes: bytes))
        }
        return frames
    }
}
