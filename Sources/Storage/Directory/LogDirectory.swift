package import MillraceBase
internal import Synchronization

/// What `meta.properties` says.
package struct DirectoryIdentity: Hashable, Sendable {
    package var clusterID: String
    package var nodeID: NodeID
    package var directoryID: Uuid

    package init(clusterID: String, nodeID: NodeID, directoryID: Uuid) {
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.directoryID = directoryID
    }
}

/// What the directory's checkpoint files hold, by partition name (`topic-0`).
package struct DirectoryCheckpoints: Hashable, Sendable {
    package var recoveryPoints: [String: Offset] = [:]
    package var startOffsets: [String: Offset] = [:]
    package var highWatermarks: [String: Offset] = [:]

    package init() {}
}

/// Why a partition's folder is put aside.
package enum FolderMark: String, Sendable {
    /// The partition was deleted: the folder is removed after a while.
    case delete
    /// No topic of the cluster's metadata has it: the folder stays for an operator to look at.
    case stray
}

/// A directory of `log.dirs`: identity, lock, checkpoints, and whether it still serves.
/// Safe on any thread.
package final class LogDirectory: Sendable {
    package static let metaFile = "meta.properties"
    static let lockFile = ".lock"
    package static let cleanMark = ".kafka_cleanshutdown"
    static let recoveryFile = "recovery-point-offset-checkpoint"
    static let startFile = "log-start-offset-checkpoint"
    static let watermarkFile = "replication-offset-checkpoint"

    package let path: String
    package let fileSystem: any FileSystem
    package let identity: DirectoryIdentity
    /// Whether the last stop was clean. The mark was removed at opening: a crash from now on is
    /// an unclean stop.
    package let wasStoppedCleanly: Bool
    /// The broker epoch that the clean stop noted; −1 if there is none.
    package let previousBrokerEpoch: Int64
    /// The checkpoints as they were found.
    package let found: DirectoryCheckpoints
    private let lock: any FileLock
    private let offline = Mutex<FileFault?>(nil)
    private let isOffline = Atomic<Bool>(false)
    private let isReported = Atomic<Bool>(false)

    private init(
        path: String, fileSystem: any FileSystem, identity: DirectoryIdentity,
        previousEpoch: Int64?, found: DirectoryCheckpoints, lock: any FileLock
    ) {
        self.path = path
        self.fileSystem = fileSystem
        self.identity = identity
        wasStoppedCleanly = previousEpoch != nil
        previousBrokerEpoch = previousEpoch ?? -1
        self.found = found
        self.lock = lock
    }

    /// Opens and locks a formatted directory.
    /// - Parameter clusterID: nil takes what the directory says.
    /// - Throws: `.notFormatted`, `.locked`, `.unsupportedVersion`, `.foreign`, `.malformed`.
    package static func open(
        _ path: String, fileSystem: any FileSystem, nodeID: NodeID, clusterID: String? = nil
    ) throws(StorageError) -> LogDirectory {
        guard let identity = try identity(path, fileSystem: fileSystem) else {
            throw .notFormatted(directory: path)
        }
        try check(
            path, "node.id", found: "\(identity.nodeID.rawValue)", expected: "\(nodeID.rawValue)")
        if let clusterID {
            try check(path, "cluster.id", found: identity.clusterID, expected: clusterID)
        }
        let lock: (any FileLock)?
        do throws(FileFault) {
            lock = try fileSystem.lock(path + "/" + lockFile)
        } catch {
            throw .file(error)
        }
        guard let lock else { throw .locked(directory: path) }
        return try load(path, fileSystem, identity, lock)
    }

    private static func load(
        _ path: String, _ fileSystem: any FileSystem, _ identity: DirectoryIdentity,
        _ lock: any FileLock
    ) throws(StorageError) -> LogDirectory {
        var found = DirectoryCheckpoints()
        found.recoveryPoints = try offsets(path + "/" + recoveryFile, fileSystem)
        found.startOffsets = try offsets(path + "/" + startFile, fileSystem)
        found.highWatermarks = try offsets(path + "/" + watermarkFile, fileSystem)
        let mark = path + "/" + cleanMark
        let epoch: Int64?
        do throws(FileFault) {
            epoch = try fileSystem.contents(mark).map(cleanEpoch)
            if epoch != nil {
                // Gone before any log is opened, so that a crash meanwhile counts as unclean.
                try fileSystem.removeIfPresent(mark)
                try fileSystem.syncDirectory(path)
            }
        } catch {
            throw .file(error)
        }
        return LogDirectory(
            path: path, fileSystem: fileSystem, identity: identity, previousEpoch: epoch,
            found: found, lock: lock)
    }

    /// `{"version":0,"brokerEpoch":599}`; −1 if it says anything else: a mark is a mark.
    private static func cleanEpoch(_ bytes: [UInt8]) -> Int64 {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let name = text.firstRange(of: "\"brokerEpoch\":") else { return -1 }
        return Int64(text[name.upperBound...].prefix { $0 == "-" || $0.isNumber }) ?? -1
    }

    private static func offsets(
        _ path: String, _ fileSystem: any FileSystem
    ) throws(StorageError) -> [String: Offset] {
        let bytes: [UInt8]?
        do throws(FileFault) { bytes = try fileSystem.contents(path) } catch { throw .file(error) }
        return try Checkpoint.decodeOffsets(bytes ?? [], path: path)
    }

    private static func check(
        _ path: String, _ property: String, found: String, expected: String
    ) throws(StorageError) {
        guard found == expected else {
            throw .foreign(
                directory: path, property: property, found: found, expected: expected)
        }
    }

    /// Writes `meta.properties` and other files (`bootstrap.checkpoint`, …) into a new directory.
    /// - Parameter files: paths below the directory and their content.
    /// - Throws: `.alreadyFormatted`, `.file`.
    package static func format(
        _ path: String, fileSystem: any FileSystem, identity: DirectoryIdentity,
        files: [(path: String, bytes: [UInt8])]
    ) throws(StorageError) {
        guard try Self.identity(path, fileSystem: fileSystem) == nil else {
            throw .alreadyFormatted(directory: path)
        }
        let text = """
            #
            node.id=\(identity.nodeID.rawValue)
            directory.id=\(identity.directoryID)
            version=1
            cluster.id=\(identity.clusterID)

            """
        do throws(FileFault) {
            try fileSystem.createDirectory(path)
            for file in files {
                let target = path + "/" + file.path
                try fileSystem.createDirectory(parentDirectory(target))
                try fileSystem.replaceContents(target, with: file.bytes)
            }
            // Last: a directory is formatted once this file is there.
            try fileSystem.replaceContents(path + "/" + metaFile, with: Array(text.utf8))
            try fileSystem.syncDirectory(parentDirectory(path))
        } catch {
            throw .file(error)
        }
    }

    /// Reads `meta.properties`; nil if there is none.
    /// - Throws: `.unsupportedVersion`, `.malformed`, `.file`.
    package static func identity(
        _ path: String, fileSystem: any FileSystem
    ) throws(StorageError) -> DirectoryIdentity? {
        let file = path + "/" + metaFile
        let bytes: [UInt8]?
        do throws(FileFault) { bytes = try fileSystem.contents(file) } catch { throw .file(error) }
        guard let bytes else { return nil }
        guard let values = PropertiesFile.parse(bytes) else {
            throw .malformed(path: file, reason: "a line is no name=value")
        }
        guard values["version"] == "1" else {
            throw .unsupportedVersion(directory: path, version: values["version"] ?? "none")
        }
        guard let cluster = values["cluster.id"], let node = values["node.id"].flatMap(Int32.init)
        else { throw .malformed(path: file, reason: "cluster.id or node.id is missing") }
        // Directory ids came with Kafka 3.7; a directory without one is taken up as it is.
        let id = values["directory.id"].map { Uuid($0) } ?? .zero
        guard let id else { throw .malformed(path: file, reason: "directory.id is no id") }
        return DirectoryIdentity(clusterID: cluster, nodeID: NodeID(node), directoryID: id)
    }

    /// The fault for which the directory is offline; nil while it serves.
    package var offlineCause: FileFault? {
        guard isOffline.load(ordering: .acquiring) else { return nil }
        return offline.withLock { $0 }
    }

    /// Takes the directory offline, for good: what the disk holds after a failed write or sync is
    /// unknown, and a second sync would report success for pages that the first one lost.
    /// - Returns: true for the first fault, which is the cause from then on.
    @discardableResult
    package func takeOffline(_ fault: FileFault) -> Bool {
        let isFirst = offline.withLock { cause in
            guard cause == nil else { return false }
            cause = fault
            return true
        }
        isOffline.store(true, ordering: .releasing)
        return isFirst
    }

    /// Whether the caller is the one who reports that the directory is offline: true once.
    package func claimOfflineReport() -> Bool {
        !isReported.exchange(true, ordering: .relaxed)
    }

    /// The partitions' folders, as `topic-0`, in order of name. The metadata log's is not among
    /// them.
    package func partitionNames() throws(StorageError) -> [String] {
        try folders().filter { PartitionName($0) != nil && $0 != "__cluster_metadata-0" }
    }

    /// Folders of deleted partitions (`….<uuid>-delete`), to be removed with `removeTree`.
    package func deletedNames() throws(StorageError) -> [String] {
        try folders().filter { $0.hasSuffix("-delete") }
    }

    /// Renames a partition's folder to `<name>.<uuid>-<mark>`, as Kafka does: no partition is found
    /// under such a name.
    /// - Returns: the new name.
    package func putAside(
        _ name: String, as mark: FolderMark, _ id: Uuid
    ) throws(StorageError) -> String {
        let suffix = ".\(id.hex)-\(mark.rawValue)"
        // A folder's name may have 255 bytes; Kafka too cuts the topic's name, not the suffix.
        let target = String(name.prefix(255 - suffix.utf8.count)) + suffix
        try guarded { () throws(FileFault) in
            try fileSystem.rename(path + "/" + name, to: path + "/" + target)
        }
        return target
    }

    private func folders() throws(StorageError) -> [String] {
        try guarded { () throws(FileFault) in
            try fileSystem.list(path).filter { $0.attributes.isDirectory }.map(\.name)
        }
    }

    /// The high watermark that was noted for a partition at the last checkpoint.
    package func highWatermark(of name: String) -> Offset? { found.highWatermarks[name] }

    /// Writes the checkpoints. Blocks; call it on a disk thread.
    package func writeCheckpoints(_ checkpoints: DirectoryCheckpoints) throws(StorageError) {
        try guarded { () throws(FileFault) in
            let contents = [
                (Self.recoveryFile, checkpoints.recoveryPoints),
                (Self.startFile, checkpoints.startOffsets),
                (Self.watermarkFile, checkpoints.highWatermarks),
            ]
            for (name, offsets) in contents {
                try fileSystem.replaceContents(
                    path + "/" + name, with: Checkpoint.encode(offsets))
            }
        }
    }

    /// Ends clean: writes the mark. All logs are closed and the checkpoints written before.
    package func close(brokerEpoch: Int64) throws(StorageError) {
        try guarded { () throws(FileFault) in
            try fileSystem.replaceContents(
                path + "/" + Self.cleanMark,
                with: Array("{\"version\":0,\"brokerEpoch\":\(brokerEpoch)}".utf8))
        }
    }

    private func guarded<T>(_ body: () throws(FileFault) -> T) throws(StorageError) -> T {
        if let cause = offlineCause { throw .offline(directory: path, cause: cause) }
        do throws(FileFault) {
            return try body()
        } catch {
            takeOffline(error)
            throw .offline(directory: path, cause: offlineCause ?? error)
        }
    }
}
