/// How a file is opened.
package enum OpenMode: Hashable, Sendable {
    /// For reading; it must exist.
    case read
    /// For reading and writing; made if it does not exist.
    case readWrite
    /// For reading and writing, emptied if it exists.
    case replace
}

/// What the file system knows about a path.
package struct FileAttributes: Hashable, Sendable {
    package var size: Int64
    /// Milliseconds since 1970 of the last change of the content.
    package var modifiedMs: Int64
    package var isDirectory: Bool

    package init(size: Int64, modifiedMs: Int64, isDirectory: Bool) {
        self.size = size
        self.modifiedMs = modifiedMs
        self.isDirectory = isDirectory
    }
}

/// One name in a directory.
package struct DirectoryEntry: Hashable, Sendable {
    package var name: String
    package var attributes: FileAttributes

    package init(name: String, attributes: FileAttributes) {
        self.name = name
        self.attributes = attributes
    }
}

/// Room on the disk that holds a path, in bytes.
package struct DiskSpace: Hashable, Sendable {
    package var total: Int64
    package var usable: Int64

    package init(total: Int64, usable: Int64) {
        self.total = total
        self.usable = usable
    }
}

/// An open file. It stays readable as long as somebody holds it, also after it was removed: a slice
/// that is being sent holds its file. The descriptor is closed with the last reference.
///
/// Safe on any thread: reads and writes name their position.
package protocol OpenFile: AnyObject, Sendable {
    /// The path under which it was opened; it may have been renamed since.
    var path: String { get }
    /// The system's descriptor for sendfile; nil where there is none (in memory).
    var descriptor: Int32? { get }

    /// Reads until `buffer` is full or the file ends; the number of bytes read.
    func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64)
        throws(FileFault) -> Int
    /// Writes all bytes.
    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(FileFault)
    func size() throws(FileFault) -> Int64
    func truncate(to size: Int64) throws(FileFault)
    /// Makes content and size durable (fdatasync). May take long: call it on a disk thread.
    func sync() throws(FileFault)
}

/// A lock on a file that other processes respect; freed with the last reference.
package protocol FileLock: AnyObject, Sendable {}

/// The files of a node, so that a simulated disk can tear, lose and refuse what is written.
/// Calls are those of the system: a method a call, no caching. Safe on any thread.
package protocol FileSystem: AnyObject, Sendable {
    func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any OpenFile
    /// The names in a directory, in order of name, without `.` and `..`.
    func list(_ directory: String) throws(FileFault) -> [DirectoryEntry]
    /// What is at `path`; nil if nothing is.
    func attributes(_ path: String) throws(FileFault) -> FileAttributes?
    /// Makes the directory and those above it; does nothing if it exists.
    func createDirectory(_ path: String) throws(FileFault)
    /// Renames atomically, over what is there.
    func rename(_ path: String, to other: String) throws(FileFault)
    /// Removes a file or an empty directory.
    func remove(_ path: String) throws(FileFault)
    /// Makes the names in a directory durable.
    func syncDirectory(_ path: String) throws(FileFault)
    func space(_ path: String) throws(FileFault) -> DiskSpace
    /// Locks the file at `path`, made if need be; nil if somebody else holds it.
    func lock(_ path: String) throws(FileFault) -> (any FileLock)?
}

extension FileSystem {
    /// All bytes of a small file; nil if it does not exist.
    /// - Parameter max: a longer file is refused (EFBIG): what is read here is a few kilobytes.
    package func contents(_ path: String, max: Int = 64 << 20) throws(FileFault) -> [UInt8]? {
        let file: any OpenFile
        do throws(FileFault) {
            file = try open(path, .read)
        } catch {
            if error.isMissing { return nil }
            throw error
        }
        let size = Int(try file.size())
        guard size <= max else {
            throw FileFault(operation: "read", path: path, code: systemFileTooBig)
        }
        return try file.bytes(at: 0, count: size)
    }

    /// Writes a small file whole or not at all: beside it, synced, renamed over it, the directory
    /// synced. After a crash there is the former content or this one.
    /// - Parameter durably: false leaves out both syncs, where the content can be made again.
    package func replaceContents(
        _ path: String, with bytes: [UInt8], durably: Bool = true
    ) throws(FileFault) {
        let temporary = path + ".tmp"
        let file = try open(temporary, .replace)
        try file.write(bytes, at: 0)
        if durably { try file.sync() }
        try rename(temporary, to: path)
        if durably { try syncDirectory(parentDirectory(path)) }
    }

    /// Removes a file if it exists.
    package func removeIfPresent(_ path: String) throws(FileFault) {
        do throws(FileFault) {
            try remove(path)
        } catch {
            if !error.isMissing { throw error }
        }
    }

    /// Removes a directory with everything in it; does nothing if it does not exist.
    package func removeTree(_ path: String) throws(FileFault) {
        guard let found = try attributes(path) else { return }
        if found.isDirectory {
            for entry in try list(path) { try removeTree(path + "/" + entry.name) }
        }
        try removeIfPresent(path)
    }
}

extension OpenFile {
    /// Bytes from `position`, fewer at the end of the file.
    package func bytes(at position: Int64, count: Int) throws(FileFault) -> [UInt8] {
        var fault: FileFault?
        let bytes = [UInt8](unsafeUninitializedCapacity: max(count, 0)) { buffer, initialized in
            do throws(FileFault) {
                initialized = try read(into: UnsafeMutableRawBufferPointer(buffer), at: position)
            } catch {
                fault = error
            }
        }
        if let fault { throw fault }
        return bytes
    }

    /// Writes all bytes of an array.
    package func write(_ bytes: [UInt8], at position: Int64) throws(FileFault) {
        var fault: FileFault?
        bytes.withUnsafeBytes { buffer in
            do throws(FileFault) {
                try write(buffer, at: position)
            } catch {
                fault = error
            }
        }
        if let fault { throw fault }
    }
}

/// The directory part of a path.
package func parentDirectory(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}
