import Broker
import MillraceBase
import Server
import Storage
import Testing

/// A first format that is broken off: the next one finishes it.
struct FormatTests {
    /// Metadata in a directory of its own, so that there are two to format.
    private func settings() throws -> NodeSettings {
        try NodeSettings(
            try ServerConfig(
                file: nil, environment: [:],
                overrides: [
                    "process.roles=broker,controller", "node.id=1", "log.dirs=/data/a",
                    "metadata.log.dir=/data/b", "listeners=PLAINTEXT://127.0.0.1:0",
                ]))
    }

    private func identities(_ files: MemoryFileSystem) throws -> [DirectoryIdentity?] {
        try ["/data/a", "/data/b"].map { try LogDirectory.identity($0, fileSystem: files) }
    }

    /// Formats after `prepare` has made the file system fail; the disk loses what was not synced.
    private func breakOff(
        seed: UInt64, _ prepare: (MemoryFileSystem) -> Void
    ) throws -> (files: MemoryFileSystem, isWhole: Bool) {
        let files = MemoryFileSystem()
        let settings = try settings()
        prepare(files)
        var isWhole = false
        do throws(CommandError) {
            _ = try StorageCommand.format(settings, fileSystem: files)
            isWhole = true
        } catch {}
        files.heal()
        var generator = SeededGenerator(seed: seed)
        files.crash(using: &generator)
        return (files, isWhole)
    }

    @Test(arguments: [MemoryFileSystem.Operation.open, .write, .sync, .rename])
    func aFormatThatIsBrokenOffAnywhereIsFinishedByTheNextStart(
        _ operation: MemoryFileSystem.Operation
    ) throws {
        var broken = 0
        for step in 0..<40 {
            for seed in 0..<8 as Range<UInt64> {
                let (files, isWhole) = try breakOff(seed: seed) {
                    $0.fail(operation, code: 5, after: step, lasting: true)
                }
                broken += isWhole ? 0 : 1
                let before = try identities(files)
                #expect(!isWhole || !before.contains(nil), "a format that was reported stays")
                try StorageCommand.formatIfEmpty(try settings(), fileSystem: files)
                let after = try identities(files)
                #expect(!after.contains(nil), "\(operation) \(step), seed \(seed)")
                #expect(Set(after.map { $0?.clusterID }).count == 1, "one cluster")
                for (old, new) in zip(before, after) where old != nil { #expect(old == new) }
                let bootstrap = try files.contents("/data/b/bootstrap.checkpoint")
                #expect(bootstrap?.isEmpty == false, "features are there once the identity is")
            }
        }
        #expect(broken >= 16, "the faults hit the format")
    }

    @Test func aDirectoryWithRecordsBesideAnEmptyOneIsLeftAlone() throws {
        let files = MemoryFileSystem()
        _ = try StorageCommand.format(try settings(), fileSystem: files)
        try files.createDirectory("/data/a/orders-0")
        try files.removeTree("/data/b")
        try StorageCommand.formatIfEmpty(try settings(), fileSystem: files)
        #expect(try identities(files)[1] == nil, "a disk that is not mounted is not formatted")
    }
}
