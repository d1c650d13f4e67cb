internal import Glibc
internal import MillraceNet

/// The few operations on files that a local cluster needs.
enum LocalFiles {
    /// Makes a directory with its parents.
    static func makeDirectory(_ path: String) throws(CommandError) {
        var partial = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            partial += (partial.isEmpty || partial.hasSuffix("/") ? "" : "/") + part
            guard mkdir(partial, 0o777) != 0, errno != EEXIST else { continue }
            throw CommandError("cannot make the directory \(partial): \(NetError.text(of: errno))")
        }
    }

    /// The path without links and dots.
    static func absolute(_ path: String) throws(CommandError) -> String {
        guard let found = realpath(path, nil) else {
            throw CommandError("\(path): \(NetError.text(of: errno))")
        }
        defer { free(found) }
        return String(cString: found)
    }

    /// One name in the directory, nil if there is none.
    static func firstEntry(of directory: String) throws(CommandError) -> String? {
        guard let stream = opendir(directory) else {
            throw CommandError("\(directory): \(NetError.text(of: errno))")
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { return name }
        }
        return nil
    }

    /// Writes a file through a temporary one, so that nobody reads a half.
    static func write(_ text: String, to path: String) throws(CommandError) {
        let temporary = "\(path).new"
        guard let file = fopen(temporary, "we") else {
            throw CommandError("cannot write \(path): \(NetError.text(of: errno))")
        }
        let bytes = Array(text.utf8)
        let count = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, count == bytes.count, rename(temporary, path) == 0 else {
            throw CommandError("cannot write \(path): \(NetError.text(of: errno))")
        }
    }

    /// The file's text; nil if it is not there.
    static func text(of path: String, max: Int = 1 << 20) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while bytes.count < max {
            let count = fread(&chunk, 1, chunk.count, file)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The last line of a file that is not empty.
    static func lastLine(of path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        if fseek(file, -4096, SEEK_END) != 0 { rewind(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count, file)
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        return text.split(separator: "\n").last.map(String.init)
    }
}
