import Foundation
import MillraceBase
import MillraceProtocol
import MillraceRecords
import TestSupport
import Testing

/// Frames that real clients and three nodes of Apache Kafka exchanged.
struct TrafficTests {
    @Test func everyRecordedFrameIsReadAndWrittenToTheSameBytes() throws {
        var (frames, trailing, answers) = (0, 0, 0)
        for file in try Recordings.trafficFiles() {
            let packed = try Data(contentsOf: file)
            let text = try packed.withUnsafeBytes {
                try CodecContexts().decompress($0, codec: .zstd, limit: 64 << 20)
            }
            for frame in try Recordings.frames(of: text, file: file.lastPathComponent) {
                frames += 1
                if frame.isUndecoded {
                    // librdkafka and Java ask in a version of ApiVersions that is not there yet.
                    #expect(frame.api == "ApiVersions" && frame.version == 5 && frame.isRequest)
                    continue
                }
                if frame.trailing > 0 { trailing += 1 }
                if frame.answerVersion != nil { answers += 1 }
                let problem = frame.isRequest ? request(frame) : response(frame)
                #expect(problem == nil, "\(frame.place) \(frame.api): \(problem ?? "")")
            }
        }
        #expect(frames == 10_023 && trailing == 2 && answers == 10)
    }

    private func request(_ frame: Recordings.Frame) -> String? {
        do {
            let bytes = frame.bytes
            let (header, start) = try bytes.withUnsafeBytes { raw in
                var reader = ByteReader(raw, range: 4..<raw.count)
                return (try RequestHeader.read(from: &reader), reader.position)
            }
            guard let api = ApiKey(rawValue: header.requestApiKey), api.name == frame.api,
                header.requestApiVersion == frame.version,
                let type = MessageTable.api("request", key: api.rawValue)
            else { return "the header says otherwise" }
            return try request(type, header, api, frame, start)
        } catch {
            return "\(error)"
        }
    }

    private func request<T: Message>(
        _ type: T.Type, _ header: RequestHeader, _ api: ApiKey, _ frame: Recordings.Frame,
        _ start: Int
    ) throws -> String? {
        let (message, end) = try T.decode(frame.bytes, version: frame.version, from: start)
        guard end == frame.bytes.count || frame.trailing > 0 else { return "read \(end) bytes" }
        var writer = ByteWriter()
        let written = try frame.bytes.withUnsafeBytes { raw in
            writer.source = raw
            try writer.writeRequest(
                message, api: api, version: frame.version, correlationID: header.correlationId,
                clientID: header.clientId)
            return writer.array()
        }
        let whole = header.unknownTaggedFields.isEmpty && written[4...] == frame.bytes[4..<end]
        return whole ? nil : "written as \(Hex.text(written))"
    }

    private func response(_ frame: Recordings.Frame) -> String? {
        guard let api = ApiKey.allCases.first(where: { $0.name == frame.api }),
            let type = MessageTable.api("response", key: api.rawValue)
        else { return "no such API" }
        do {
            return try response(type, api, frame)
        } catch {
            return "\(error)"
        }
    }

    private func response<T: Message>(
        _ type: T.Type, _ api: ApiKey, _ frame: Recordings.Frame
    ) throws -> String? {
        let version = frame.answerVersion ?? frame.version
        let headerVersion = ResponseHeader.headerVersion(api: api, version: version)
        return try frame.bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw, range: 4..<raw.count)
            let header = try ResponseHeader(from: &reader, version: headerVersion)
            let message = try T(from: &reader, version: version)
            guard reader.isAtEnd else { return "read \(reader.position) bytes" }
            var writer = ByteWriter()
            writer.source = raw
            try writer.writeResponse(
                message, api: api, version: version, correlationID: header.correlationId)
            let written = writer.array()
            return written == frame.bytes ? nil : "written as \(Hex.text(written))"
        }
    }
}
