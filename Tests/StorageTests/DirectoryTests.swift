import Foundation
import MillraceBase
import Storage
import TestSupport
import Testing

struct DirectoryTests {
    private let identity = DirectoryIdentity(
        clusterID: clusterID, nodeID: NodeID(1), directoryID: Uuid(high: 5, low: 6))

    private func formatted() throws -> MemoryFileSystem {
        let files = MemoryFileSystem()
        try LogDirectory.format(
            "/data", fileSystem: files, identity: identity,
            files: [("bootstrap.checkpoint", [1, 2]), ("__cluster_metadata-0/x", [3])])
        return files
    }

    private func write(_ text: String, _ path: String, _ files: MemoryFileSystem) throws {
        try files.open(path, .replace).write(Array(text.utf8), at: 0)
    }

    @Test func aFormattedDirectorySaysWhatItIs() throws {
        let files = try formatted()
        #expect(try LogDirectory.identity("/data", fileSystem: files) == identity)
        #expect(try files.contents("/data/bootstrap.checkpoint") == [1, 2])
        #expect(try files.contents("/data/__cluster_metadata-0/x") == [3])
        let text = String(
            decoding: try files.contents("/data/meta.properties") ?? [], as: UTF8.self)
        #expect(text.contains("version=1\n") && text.contains("cluster.id=\(clusterID)\n"))
        let directory = try LogDirectory.open("/data", fileSystem: files, nodeID: NodeID(1))
        #expect(!directory.wasStoppedCleanly && directory.previousBrokerEpoch == -1)
        #expect(throws: StorageError.alreadyFormatted(directory: "/data")) {
            try LogDirectory.format("/data", fileSystem: files, identity: identity, files: [])
        }
    }

    @Test func whatIsForeignNewerOrNoDirectoryOfOursIsOneError() throws {
        let files = try formatted()
        func open(_ node: Int32, _ cluster: String? = nil) throws(StorageError) {
            _ = try LogDirectory.open(
                "/data", fileSystem: files, nodeID: NodeID(node), clusterID: cluster)
        }
        #expect(
            throws: StorageError.foreign(
                directory: "/data", property: "node.id", found: "1", expected: "2")
        ) { try open(2) }
        #expect(
            throws: StorageError.foreign(
                directory: "/data", property: "cluster.id", found: clusterID, expected: "other")
        ) { try open(1, "other") }
        try write("version=2\nfuture.id=1\n", "/data/meta.properties", files)
        #expect(throws: StorageError.unsupportedVersion(directory: "/data", version: "2")) {
            try open(1)
        }
        try write("version=1\nnode.id=x\ncluster.id=y\n", "/data/meta.properties", files)
        #expect(throws: StorageError.self) { try open(1) }
        try files.remove("/data/meta.properties")
        #expect(throws: StorageError.notFormatted(directory: "/data")) { try open(1) }
    }

    @Test func aSecondProcessIsRefused() throws {
        let folder = try Program.temporaryFolder("lock")
        defer { try? FileManager.default.removeItem(at: folder) }  // a temporary folder
        let path = folder.appending(path: "data").path
        try LogDirectory.format(
            path, fileSystem: PosixFileSystem(), identity: identity, files: [])
        do {
            let held = try LogDirectory.open(path, fileSystem: PosixFileSystem(), nodeID: NodeID(1))
            #expect(throws: StorageError.locked(directory: path)) {
                _ = try LogDirectory.open(path, fileSystem: PosixFileSystem(), nodeID: NodeID(1))
            }
            withExtendedLifetime(held) {}
        }
        _ = try LogDirectory.open(path, fileSystem: PosixFileSystem(), nodeID: NodeID(1))
    }

    @Test func aDirectoryOfKafkaIsUnderstood() async throws {
        let golden = try await GoldenCase("09-root-files")
        defer { golden.remove() }
        let directory = try LogDirectory.open(
            golden.root.path, fileSystem: PosixFileSystem(), nodeID: NodeID(1))
        #expect(directory.identity.clusterID == clusterID)
        #expect("\(directory.identity.directoryID)" == "So5Qhvq7b1t1LDz3GrlsrQ")
        #expect(directory.wasStoppedCleanly && directory.previousBrokerEpoch == 599)
        #expect(directory.found.recoveryPoints.count == 48)
        #expect(directory.found.recoveryPoints["tiny-0"] == Offset(9000))
        #expect(directory.found.startOffsets == ["delrec-0": Offset(43), "delrec-1": Offset(40)])
        #expect(directory.highWatermark(of: "__consumer_offsets-3") == Offset(41))
        #expect(try directory.partitionNames().contains("m-a-2"))
        #expect(try directory.deletedNames().count == 2)
        try directory.writeCheckpoints(directory.found)
        try directory.close(brokerEpoch: 599)
        let mark = golden.root.appending(path: ".kafka_cleanshutdown")
        #expect(
            try String(contentsOf: mark, encoding: .utf8) == #"{"version":0,"brokerEpoch":599}"#)
        let starts = golden.root.appending(path: "log-start-offset-checkpoint")
        #expect(
            try String(contentsOf: starts, encoding: .utf8) == "0\n2\ndelrec 0 43\ndelrec 1 40\n")
    }

    @Test func aMalformedCheckpointIsAnError() throws {
        for text in ["1\n0\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na x 1\n", "0\nx\n"] {
            let files = try formatted()
            try write(text, "/data/recovery-point-offset-checkpoint", files)
            #expect(throws: StorageError.self) {
                try LogDirectory.open("/data", fileSystem: files, nodeID: NodeID(1))
            }
        }
    }

    @Test func aFailedWriteTakesTheDirectoryOfflineForGood() throws {
        let fixture = try LogFixture()
        try fixture.append(TestBatch(values: ["kept"]))
        fixture.files.fail(.write, path: ".log", code: 5)
        #expect(throws: FileFault.self) { try fixture.append() }
        let cause = try #require(fixture.directory.offlineCause)
        #expect(cause.operation == "write" && cause.code == 5)
        fixture.files.heal()
        let offline = StorageError.offline(directory: "/data", cause: cause)
        #expect(throws: offline) { try fixture.append() }
        #expect(throws: offline) { try fixture.log.close() }
        #expect(throws: offline) { try fixture.checkpoint() }
        #expect(throws: offline) { try fixture.directory.close(brokerEpoch: 1) }
        #expect(fixture.log.failed(cause) == false)
        let again = try fixture.reopened()
        #expect(try again.records() == ["0 kept"])
    }

    @Test func aFailedSyncIsNeverTriedAgain() throws {
        let fixture = try LogFixture()
        try fixture.append()
        fixture.files.fail(.sync, code: 5)
        let job = try #require(try fixture.log.beginFlush())
        do throws(FileFault) {
            try job.perform()
            Issue.record("the sync must fail")
        } catch {
            #expect(fixture.log.failed(error))
        }
        let syncs = fixture.files.count(.sync)
        #expect(throws: StorageError.self) { try fixture.log.beginFlush() }
        #expect(throws: StorageError.self) { try fixture.log.close() }
        #expect(fixture.files.count(.sync) == syncs)
    }

    @Test func aFullDiskSaysSoAndLosesNothingAcknowledged() throws {
        var config = LogConfig()
        config.segmentBytes = 1_000
        let fixture = try LogFixture(config: config)
        var acknowledged = 0
        fixture.files.capacity = 6_000
        do {
            while acknowledged < 1_000 {
                try fixture.append(TestBatch(values: ["\(acknowledged)"]))
                acknowledged += 1
            }
        } catch {}
        let cause = try #require(fixture.directory.offlineCause)
        #expect(cause.isDiskFull && cause.description.hasSuffix("the disk is full"))
        #expect(acknowledged > 10 && acknowledged < 1_000)
        fixture.files.capacity = .max
        let again = try fixture.reopened()
        let records = try again.records()
        #expect(Array(records.prefix(acknowledged)) == (0..<acknowledged).map { "\($0) \($0)" })
        try again.append(TestBatch(values: ["new"]))
        #expect(try again.records().last?.hasSuffix("new") == true)
    }

    @Test func theRealFilesAnswerAsTheOnesInMemory() throws {
        let folder = try Program.temporaryFolder("files")
        defer { try? FileManager.default.removeItem(at: folder) }  // a temporary folder
        for files in [PosixFileSystem(), MemoryFileSystem()] as [any FileSystem] {
            let root = folder.path + "/a/b"
            try files.createDirectory(root)
            try files.createDirectory(root)
            #expect(try files.attributes(root)?.isDirectory == true)
            #expect(try files.contents(root + "/none") == nil)
            #expect(throws: FileFault.self) { try files.open(root + "/none", .read) }
            let file = try files.open(root + "/x", .readWrite)
            try file.write([1, 2, 3], at: 2)
            #expect(try file.bytes(at: 0, count: 9) == [0, 0, 1, 2, 3])
            #expect(try file.size() == 5)
            try file.truncate(to: 3)
            try file.sync()
            try files.rename(root + "/x", to: root + "/y")
            try files.syncDirectory(root)
            #expect(try files.list(root).map(\.name) == ["y"])
            try files.remove(root + "/y")
            #expect(try file.bytes(at: 0, count: 9) == [0, 0, 1])
            #expect(throws: FileFault.self) { try files.remove(root + "/y") }
            try files.replaceContents(root + "/z", with: [9])
            #expect(try files.contents(root + "/z") == [9])
            #expect(try files.space(root).usable > 0)
            try files.removeTree(folder.path + "/a")
            #expect(try files.attributes(root) == nil)
        }
    }
}
