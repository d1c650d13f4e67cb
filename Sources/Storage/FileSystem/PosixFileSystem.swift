internal import CMillrace
internal import Glibc

let systemNoSpace = ENOSPC
let systemQuotaExceeded = EDQUOT
let systemNoEntry = ENOENT
let systemFileTooBig = EFBIG
let systemTooManyOpenFiles = [EMFILE, ENFILE]

/// The system's words for an error number.
func describeSystemError(_ code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
        guard let base = buffer.baseAddress else { return "error \(code)" }
        millrace_describe_error(code, base, buffer.count)
        return String(cString: base)
    }
}

/// The real files of this machine.
package final class PosixFileSystem: FileSystem {
    package init() {}

    package func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any OpenFile {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR | O_CREAT
            case .replace: O_RDWR | O_CREAT | O_TRUNC
            }
        let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileFault(operation: "open", path: path, code: errno) }
        return PosixFile(path: path, number: descriptor)
    }

    package func list(_ directory: String) throws(FileFault) -> [DirectoryEntry] {
        guard let stream = opendir(directory) else {
            throw FileFault(operation: "list", path: directory, code: errno)
        }
        defer { closedir(stream) }
        var entries: [DirectoryEntry] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            // Gone since: removed by somebody between both calls.
            guard let found = try attributes(directory + "/" + name) else { continue }
            entries.append(DirectoryEntry(name: name, attributes: found))
        }
        return entries.sorted { $0.name < $1.name }
    }

    package func attributes(_ path: String) throws(FileFault) -> FileAttributes? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw FileFault(operation: "stat", path: path, code: errno)
        }
        let modified = status.st_mtim
        return FileAttributes(
            size: Int64(status.st_size),
            modifiedMs: Int64(modified.tv_sec) * 1000 + Int64(modified.tv_nsec) / 1_000_000,
            isDirectory: status.st_mode & S_IFMT == S_IFDIR)
    }

    package func createDirectory(_ path: String) throws(FileFault) {
        if mkdir(path, 0o755) == 0 { return }
        switch errno {
        case EEXIST:
            if try attributes(path)?.isDirectory == true { return }
            throw FileFault(operation: "make directory", path: path, code: EEXIST)
        case ENOENT where parentDirectory(path) != path:
            try createDirectory(parentDirectory(path))
            guard mkdir(path, 0o755) == 0 || errno == EEXIST else { fallthrough }
        default:
            throw FileFault(operation: "make directory", path: path, code: errno)
        }
    }

    package func rename(_ path: String, to other: String) throws(FileFault) {
        guard Glibc.rename(path, other) == 0 else {
            throw FileFault(operation: "rename", path: path, code: errno)
        }
    }

    package func remove(_ path: String) throws(FileFault) {
        guard Glibc.remove(path) == 0 else {
            throw FileFault(operation: "remove", path: path, code: errno)
        }
    }

    package func syncDirectory(_ path: String) throws(FileFault) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFault(operation: "open", path: path, code: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw FileFault(operation: "sync", path: path, code: errno)
        }
    }

    package func space(_ path: String) throws(FileFault) -> DiskSpace {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else {
            throw FileFault(operation: "measure", path: path, code: errno)
        }
        let block = UInt64(status.f_frsize)
        return DiskSpace(
            total: Int64(
                clamping: UInt64(status.f_blocks).multipliedReportingOverflow(by: block)
                    .partialValue),
            usable: Int64(
                clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: block)
                    .partialValue))
    }

    package func lock(_ path: String) throws(FileFault) -> (any FileLock)? {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileFault(operation: "open", path: path, code: errno) }
        // An open-file-description lock: it conflicts with the record locks that a JVM takes on
        // the same file, and, unlike those, with a second lock of this process.
        var request = flock()
        request.l_type = Int16(F_WRLCK)
        request.l_whence = Int16(SEEK_SET)
        let openFileSetLock: Int32 = 37
        if fcntl(descriptor, openFileSetLock, &request) == 0 {
            return PosixLock(number: descriptor)
        }
        let code = errno
        close(descriptor)
        if code == EAGAIN || code == EACCES { return nil }
        throw FileFault(operation: "lock", path: path, code: code)
    }
}

/// Holds the descriptor to which a lock belongs.
private final class PosixLock: FileLock {
    private let number: Int32
    init(number: Int32) { self.number = number }
    deinit { close(number) }
}

/// A descriptor, closed with the last reference.
private final class PosixFile: OpenFile {
    let path: String
    private let number: Int32
    var descriptor: Int32? { number }

    init(path: String, number: Int32) {
        self.path = path
        self.number = number
    }

    deinit { close(number) }

    func read(
        into buffer: UnsafeMutableRawBufferPointer, at position: Int64
    ) throws(FileFault) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        var done = 0
        while done < buffer.count {
            let count = pread(number, base + done, buffer.count - done, off_t(position) + done)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileFault(operation: "read", path: path, code: errno)
            }
            done += count
        }
        return done
    }

    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(FileFault) {
        guard let base = bytes.baseAddress else { return }
        var done = 0
        while done < bytes.count {
            let count = pwrite(number, base + done, bytes.count - done, off_t(position) + done)
            if count < 0 {
                if errno == EINTR { continue }
                throw FileFault(operation: "write", path: path, code: errno)
            }
            // A short write is followed by the error that cut it, such as ENOSPC.
            done += count
        }
    }

    func size() throws(FileFault) -> Int64 {
        var status = stat()
        guard fstat(number, &status) == 0 else {
            throw FileFault(operation: "stat", path: path, code: errno)
        }
        return Int64(status.st_size)
    }

    func truncate(to size: Int64) throws(FileFault) {
        guard ftruncate(number, off_t(size)) == 0 else {
            throw FileFault(operation: "truncate", path: path, code: errno)
        }
    }

    func sync() throws(FileFault) {
        while fdatasync(number) != 0 {
            if errno == EINTR { continue }
            throw FileFault(operation: "sync", path: path, code: errno)
        }
    }
}
