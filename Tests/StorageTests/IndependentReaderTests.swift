import Foundation
import MillraceBase
import MillraceRecords
import Storage
import TestSupport
import Testing

/// A log that we write, read by a program that knows the format from elsewhere.
struct IndependentReaderTests {
    private struct Found: Decodable {
        struct Segment: Decodable {
            var baseOffset: Int64
            var size: Int64
            var validBytes: Int64
            var stopped: String?
            var index: [[Int64]]
            var timeindex: [[Int64]]
        }
        struct Record: Decodable {
            var offset: Int64
            var timestamp: Int64
            var value: [String: String]?
        }
        struct Snapshot: Decodable {
            var crcOk: Bool
            var entries: [GoldenCase.Entry]
        }
        var segments: [Segment]
        var records: [Record]?
        var leaderEpochs: [[Int64]]
        var topicId: String
        var logEndOffset: Int64
        var producerSnapshots: [String: Snapshot]
    }

    @Test func whatWeWriteIsReadByAnIndependentReader() async throws {
        let root = try Program.temporaryFolder("klog")
        defer { try? FileManager.default.removeItem(at: root) }  // a temporary folder
        let path = root.appending(path: "data").path
        let log = try write(to: path)
        let script = GoldenCase.folder.appending(path: "klog.py").path
        let result = try await Program.run(
            URL(fileURLWithPath: "/usr/bin/env"), ["python3", script, path + "/topic-3"])
        #expect(result.status == 0, "\(result.errors)")
        let found = try GoldenCase.decoder.decode(Found.self, from: Data(result.output.utf8))
        #expect(found.logEndOffset == log.endOffset.rawValue)
        #expect(found.topicId == "\(Uuid(high: 3, low: 4))")
        #expect(found.leaderEpochs == [[0, 0], [1, 40], [2, 80]])
        #expect(found.segments.count == log.segmentCount)
        #expect(found.segments.allSatisfy { $0.stopped == nil && $0.size == $0.validBytes })
        #expect(found.segments.dropLast().allSatisfy { !$0.index.isEmpty && !$0.timeindex.isEmpty })
        #expect(
            found.records?.map { "\($0.offset) \($0.value?["text"] ?? "")" }
                == (0..<120).map { "\($0) value \($0)" })
        let last = try #require(found.producerSnapshots["120"])
        #expect(last.crcOk && last.entries.first?.lastSequence == 119)
        let contexts = CodecContexts()
        let ours = try storedBatches(of: log).flatMap { try $0.records(contexts) }
        #expect(ours.map(\.timestamp) == found.records?.map(\.timestamp))
    }

    private func write(to path: String) throws -> PartitionLog {
        let files = PosixFileSystem()
        try LogDirectory.format(
            path, fileSystem: files,
            identity: DirectoryIdentity(
                clusterID: clusterID, nodeID: NodeID(1), directoryID: Uuid(high: 1, low: 1)),
            files: [])
        let directory = try LogDirectory.open(path, fileSystem: files, nodeID: NodeID(1))
        var config = LogConfig()
        config.segmentBytes = 2_000
        config.indexIntervalBytes = 300
        let log = try PartitionLog.open(
            name: "topic-3", topicID: TopicID(Uuid(high: 3, low: 4)), in: directory,
            config: config, files: OpenFileCache(capacity: 3), contexts: CodecContexts(),
            now: moment())
        let codecs: [CompressionCodec] = [.none, .gzip, .snappy]
        for index in 0..<120 {
            var batch = TestBatch(
                values: ["value \(index)"], timestamp: 1_700_000_000_000 + Int64(index * 7 % 50),
                producer: BatchProducer(id: 9, epoch: 0, baseSequence: Int32(index)))
            batch.codec = codecs[index % 3]
            var bytes = batch.bytes()
            let outcome = try bytes.withUnsafeMutableBytes { memory in
                let header = try BatchValidator.checkForm(UnsafeRawBufferPointer(memory))
                let valid = try BatchValidator.validate(
                    header, in: memory, rules: config.appendRules(partitionName: "topic-3"),
                    now: moment().timestamp, contexts: CodecContexts())
                return try log.stage(
                    valid, in: memory, leaderEpoch: LeaderEpoch(Int32(index / 40)), now: moment())
            }
            let staged = try outcome.staged()
            try bytes.withUnsafeBytes { try staged.perform($0) }
            log.written(staged)
        }
        try log.close()
        return log
    }
}
