import Foundation
import TestSupport
import Testing

/// A disk that fills up under a node.
struct FullDiskTests {
    @Test(.enabled(if: SmallDisk.isAvailable, "needs the right to mount a file system"))
    func aFullDiskRefusesAndLosesNothingAcknowledged() async throws {
        let folder = try Program.temporaryFolder("full")
        let disk = folder.appending(path: "disk")
        try SmallDisk.mount(at: disk, megabytes: 8)
        defer {
            SmallDisk.unmount(disk)
            try? FileManager.default.removeItem(at: folder)  // nothing depends on its removal
        }
        try await Story.run("full_disk.py", ["--disk", disk.path])
    }
}

/// A file system in memory of a chosen size.
private enum SmallDisk {
    /// Whether this process may mount: tried once.
    static let isAvailable: Bool = {
        guard geteuid() == 0, let folder = try? Program.temporaryFolder("mount") else {
            return false
        }
        defer { try? FileManager.default.removeItem(at: folder) }
        guard (try? mount(at: folder, megabytes: 1)) != nil else { return false }
        unmount(folder)
        return true
    }()

    static func mount(at folder: URL, megabytes: Int) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let result = Glibc.mount("tmpfs", folder.path, "tmpfs", 0, "size=\(megabytes)m")
        try #require(result == 0, "mounting needs the right to")
    }

    static func unmount(_ folder: URL) { umount2(folder.path, Int32(MNT_DETACH)) }
}
