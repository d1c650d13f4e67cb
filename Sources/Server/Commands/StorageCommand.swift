package import Broker
package import MillraceBase
internal import Metadata
internal import Raft
package import Storage

/// `millrace storage`: makes and shows the data directories of a node.
package enum StorageCommand {
    /// What was found in one directory.
    package struct DirectoryInfo: Sendable {
        package var path: String
        /// nil: it is not formatted, or cannot be read.
        package var identity: DirectoryIdentity?
        /// What is wrong with it; nil if nothing is.
        package var problem: String?
    }

    /// Formats every data directory of the settings.
    /// - Parameters:
    ///   - clusterID: of the cluster; nil draws a new one.
    ///   - ignoreFormatted: leaves directories that are formatted already as they are.
    /// - Returns: the directories that were formatted, with the identity that each was given.
    package static func format(
        _ settings: NodeSettings, clusterID: String? = nil, ignoreFormatted: Bool = false,
        fileSystem: any FileSystem = PosixFileSystem()
    ) throws(CommandError) -> [DirectoryInfo] {
        var found: [String: DirectoryIdentity] = [:]
        for path in directories(of: settings) {
            do throws(StorageError) {
                found[path] = try LogDirectory.identity(path, fileSystem: fileSystem)
            } catch {
                throw CommandError(error.description)
            }
        }
        if let path = found.keys.min(), !ignoreFormatted {
            throw CommandError(StorageError.alreadyFormatted(directory: path).description)
        }
        var generator = SystemRandomNumberGenerator()
        let known = Set(found.values.map(\.clusterID))
        if known.count > 1 {
            let names = known.sorted().joined(separator: ", ")
            throw CommandError("the data directories belong to different clusters: \(names)")
        }
        if let clusterID, let other = known.first, other != clusterID {
            throw CommandError("the data directories belong to cluster \(other), not \(clusterID)")
        }
        let cluster = try checked(
            clusterID ?? known.first ?? Uuid.random(using: &generator).description)
        var formatted: [DirectoryInfo] = []
        for path in directories(of: settings) where found[path] == nil {
            let identity = DirectoryIdentity(
                clusterID: cluster, nodeID: settings.nodeID,
                directoryID: .random(using: &generator))
            do throws(StorageError) {
                try LogDirectory.format(
                    path, fileSystem: fileSystem, identity: identity,
                    files: path == settings.metadataDirectory ? [bootstrap()] : [])
            } catch {
                throw CommandError(error.description)
            }
            formatted.append(DirectoryInfo(path: path, identity: identity))
        }
        return formatted
    }

    /// What `millrace.storage.format` asks for at a start: formats the data directories if none
    /// holds anything but what a format leaves that was broken off. One with other files in it is
    /// left alone, and refused when it is opened.
    package static func formatIfEmpty(
        _ settings: NodeSettings, fileSystem: any FileSystem = PosixFileSystem()
    ) throws(CommandError) {
        for path in directories(of: settings) {
            do throws(FileFault) {
                guard try fileSystem.attributes(path) != nil else { continue }
                let names = try fileSystem.list(path).map(\.name)
                guard names.allSatisfy(isOfFormat) else { return }
            } catch {
                throw CommandError(error.description)
            }
        }
        // One of several may have been formatted before the rest was broken off.
        _ = try format(settings, ignoreFormatted: true, fileSystem: fileSystem)
    }

    /// Whether a format writes a file of that name, or its temporary one.
    private static func isOfFormat(_ name: String) -> Bool {
        let written = [LogDirectory.metaFile, MetadataLogStore.bootstrapName]
        return written.contains { name == $0 || name == $0 + ".tmp" }
    }

    /// `bootstrap.checkpoint`: the features that a new cluster begins with.
    private static func bootstrap() throws(StorageError) -> (path: String, bytes: [UInt8]) {
        let path = MetadataLogStore.bootstrapName
        var writer = SnapshotWriter(
            epoch: LeaderEpoch(0), lastTimestamp: Timestamp(0), now: SystemClock.now().timestamp)
        do throws(MetadataError) {
            for record in Bootstrap.records() { writer.append(try record.bytes()) }
        } catch {
            throw .malformed(path: path, reason: "\(error)")
        }
        return (path, writer.finish())
    }

    /// What stands in the data directories of the settings.
    package static func info(
        _ settings: NodeSettings, fileSystem: any FileSystem = PosixFileSystem()
    ) -> [DirectoryInfo] {
        directories(of: settings).map { path in
            do throws(StorageError) {
                guard let identity = try LogDirectory.identity(path, fileSystem: fileSystem) else {
                    return DirectoryInfo(path: path, identity: nil, problem: "not formatted")
                }
                let isForeign = identity.nodeID != settings.nodeID
                return DirectoryInfo(
                    path: path, identity: identity,
                    problem: isForeign
                        ? "belongs to node \(identity.nodeID.rawValue), not to "
                            + "\(settings.nodeID.rawValue)" : nil)
            } catch {
                return DirectoryInfo(path: path, identity: nil, problem: error.description)
            }
        }
    }

    /// An id for a new cluster.
    package static func randomUuid() -> Uuid {
        var generator = SystemRandomNumberGenerator()
        return .random(using: &generator)
    }

    private static func directories(of settings: NodeSettings) -> [String] {
        let metadata = settings.metadataDirectory
        return settings.logDirectories
            + (settings.logDirectories.contains(metadata) ? [] : [metadata])
    }

    /// Kafka takes any text for a cluster's id, but writes 22 characters of base64url; a text that
    /// would not survive `meta.properties` is refused.
    private static func checked(_ clusterID: String) throws(CommandError) -> String {
        let isPlain = clusterID.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x5C }
        if clusterID.isEmpty || clusterID.utf8.count > 200 || !isPlain {
            throw CommandError("\(clusterID) is no id of a cluster", exitCode: 64)
        }
        return clusterID
    }
}
