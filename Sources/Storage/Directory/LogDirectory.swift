package import MillraceBase

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

/// A directory of `log.dirs`: identity, lock, checkpoints, and whether it still serves.
/// Safe on any thread.
package final class LogDirectory: Sendable {
    /// Opens and locks a formatted directory.
    /// - Parameters:
    ///   - clusterID: nil takes what the directory says.
    /// - Throws: `.notFormatted`, `.locked`, `.unsupportedVersion`, `.foreign`, `.malformed`.
    package static func open(
        _ path: String, fileSystem: any FileSystem, nodeID: NodeID, clusterID: String? = nil
    ) throws(StorageError) -> LogDirectory { preconditionFailure() }

    /// Writes `meta.properties` and other files (`bootstrap.checkpoint`, …) into a new directory.
    /// - Parameter files: paths below the directory and their content.
    package static func format(
        _ path: String, fileSystem: any FileSystem, identity: DirectoryIdentity,
        files: [(path: String, bytes: [UInt8])]
    ) throws(StorageError) { preconditionFailure() }

    /// Reads `meta.properties`; nil if there is none.
    package static func identity(
        _ path: String, fileSystem: any FileSystem
    ) throws(StorageError) -> DirectoryIdentity? { preconditionFailure() }

    package var path: String { preconditionFailure() }
    package var fileSystem: any FileSystem { preconditionFailure() }
    package var identity: DirectoryIdentity { preconditionFailure() }
    /// Whether the last stop was clean. The mark was removed at opening.
    package var wasStoppedCleanly: Bool { preconditionFailure() }
    /// The broker epoch that the clean stop noted; −1 if there is none.
    package var previousBrokerEpoch: Int64 { preconditionFailure() }

    /// The fault for which the directory is offline; nil while it serves.
    package var offlineCause: FileFault? { preconditionFailure() }
    /// Takes the directory offline, for good.
    /// - Returns: true for the first fault: it is the one to be logged.
    @discardableResult
    package func takeOffline(_ fault: FileFault) -> Bool { preconditionFailure() }

    /// The partitions' folders, as `topic-0`, in order of name.
    package func partitionNames() throws(StorageError) -> [String] { preconditionFailure() }
    /// Folders of deleted partitions (`….<uuid>-delete`), to be removed with `removeTree`.
    package func deletedNames() throws(StorageError) -> [String] { preconditionFailure() }

    /// Writes the checkpoints. Blocks; call it on a disk thread.
    package func writeCheckpoints(_ checkpoints: DirectoryCheckpoints) throws(StorageError) {
        preconditionFailure()
    }
    /// The high watermark that was noted for a partition at the last checkpoint.
    package func highWatermark(of name: String) -> Offset? { preconditionFailure() }
    /// Ends clean: writes the mark. All logs are closed before.
    package func close(brokerEpoch: Int64) throws(StorageError) { preconditionFailure() }
}

/// What the directory's checkpoint files hold, by partition name (`topic-0`).
package struct DirectoryCheckpoints: Hashable, Sendable {
    package var recoveryPoints: [String: Offset] = [:]
    package var startOffsets: [String: Offset] = [:]
    package var highWatermarks: [String: Offset] = [:]

    package init() {}
}
