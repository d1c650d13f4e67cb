import Foundation
import MillraceBase
import MillraceRecords
import Storage
import TestSupport

/// A log directory that Apache Kafka wrote, and what it holds (`Tests/Golden/logs`).
struct GoldenCase {
    struct Expectation: Decodable {
        var partitions: [String: Partition]
    }

    struct Partition: Decodable {
        var segments: [Segment]?
        var leaderEpochs: [[Int64]]?
        var topicId: String?
        var logEndOffset: Int64?
        var records: [Record]?
        var kafkaReads: Reads?
        var producerSnapshots: [String: Snapshot]?
        var damage: String?
        var afterUncleanStart: Recovered?
        var afterCleanStart: Recovered?
    }

    struct Segment: Decodable {
        var baseOffset: Int64
        var size: Int64
        var batches: [Batch]
        var index: [[Int64]]?
        var timeindex: [[Int64]]?
    }

    struct Batch: Decodable {
        var position: Int64
        var size: Int
        var baseOffset: Int64
        var lastOffset: Int64
        var count: Int32
        var leaderEpoch: Int32
        var codec: String
        var crc: UInt32
        var maxTimestamp: Int64
        var producerId: Int64
        var baseSequence: Int32
    }

    struct Record: Decodable {
        var offset: Int64
        var timestamp: Int64
    }

    struct Reads: Decodable {
        var logStartOffset: Int64
        var highWatermark: Int64
        var maxTimestamp: [Int64]
        var producers: [Producer]
    }

    struct Producer: Decodable {
        var producerId: Int64
        var producerEpoch: Int16
        var lastSequence: Int32
        var coordinatorEpoch: Int32
        var txnStartOffset: Int64
    }

    struct Snapshot: Decodable {
        var entries: [Entry]
    }

    struct Entry: Decodable, Equatable {
        var producerId: Int64
        var producerEpoch: Int16
        var lastSequence: Int32
        var lastOffset: Int64
        var offsetDelta: Int32
        var timestamp: Int64
        var coordinatorEpoch: Int32
        var txnFirstOffset: Int64
    }

    struct Recovered: Decodable {
        var logEndOffset: Int64?
        var firstSegment: Int64?
        var leaderEpochs: [[Int64]]?
        var segments: [RecoveredSegment]?
        var producerSnapshots: [String: [Entry]]?
        var kafkaReads: Reads?
        var fatal: [String]?
    }

    struct RecoveredSegment: Decodable {
        var baseOffset: Int64
        var size: Int64
        var index: [[Int64]]?
        var timeindex: [[Int64]]?
        /// Base offset, last offset, position, size.
        var batches: [[Int64]]
    }

    /// Kafka's files speak with underscores.
    static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }

    static let folder = Program.root.appending(path: "Tests/Golden/logs")

    let expectation: Expectation
    /// Where the directory was unpacked.
    let root: URL

    init(_ name: String) async throws {
        let folder = Self.folder.appending(path: name)
        root = try Program.temporaryFolder("golden")
        let tar = URL(fileURLWithPath: "/usr/bin/env")
        let unpacked = try await Program.run(
            tar,
            ["tar", "--zstd", "-xf", folder.appending(path: "data.tar.zst").path, "-C", root.path])
        guard unpacked.status == 0 else { throw GoldenError(text: unpacked.errors) }
        let plain = folder.appending(path: "expect.json")
        let json: Data
        if FileManager.default.fileExists(atPath: plain.path) {
            json = try Data(contentsOf: plain)
        } else {
            let result = try await Program.run(tar, ["zstd", "-dc", plain.path + ".zst"])
            json = Data(result.output.utf8)
        }
        expectation = try GoldenCase.decoder.decode(Expectation.self, from: json)
    }

    func remove() { try? FileManager.default.removeItem(at: root) }  // a temporary folder

    /// A log directory of its own with one partition of the case in it.
    /// - Parameter clean: whether it says that the node was stopped well.
    func directory(_ partition: String, clean: Bool) throws -> LogDirectory {
        let files = PosixFileSystem()
        let source = root.appending(path: partition)
        let parent = source.deletingLastPathComponent()
        let own = root.appending(path: "own-\(UUID().uuidString.prefix(8))")
        let identity = DirectoryIdentity(
            clusterID: clusterID, nodeID: NodeID(1), directoryID: Uuid(high: 1, low: 1))
        try LogDirectory.format(own.path, fileSystem: files, identity: identity, files: [])
        try FileManager.default.copyItem(
            at: source, to: own.appending(path: source.lastPathComponent))
        for name in ["log-start-offset-checkpoint", "recovery-point-offset-checkpoint"] {
            let checkpoint = parent.appending(path: name)
            guard FileManager.default.fileExists(atPath: checkpoint.path) else { continue }
            try FileManager.default.copyItem(at: checkpoint, to: own.appending(path: name))
        }
        if clean {
            try Data("{\"version\":0,\"brokerEpoch\":599}".utf8)
                .write(to: own.appending(path: ".kafka_cleanshutdown"))
        }
        return try LogDirectory.open(own.path, fileSystem: files, nodeID: NodeID(1))
    }

    func open(_ partition: String, in directory: LogDirectory, config: LogConfig = LogConfig())
        throws -> PartitionLog
    {
        try PartitionLog.open(
            name: String(partition.split(separator: "/").last ?? ""), topicID: nil, in: directory,
            config: config, files: OpenFileCache(capacity: 20), contexts: CodecContexts(),
            now: moment())
    }
}

struct GoldenError: Error {
    var text: String
}
