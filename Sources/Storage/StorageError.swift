/// What the operating system said when a file operation failed: enough for one clear line.
package struct FileFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The operation, as a verb: `open`, `write`, `sync` and so on.
    package let operation: String
    package let path: String
    /// The system's error number.
    package let code: Int32

    package init(operation: String, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// Whether the file system, or the owner's share of it, is full.
    package var isDiskFull: Bool { code == systemNoSpace || code == systemQuotaExceeded }
    /// Whether the file or directory does not exist.
    package var isMissing: Bool { code == systemNoEntry }

    package var description: String {
        let reason = isDiskFull ? "the disk is full" : describeSystemError(code)
        return "cannot \(operation) \(path): \(reason)"
    }
}

/// Faults of storage. Refusals of an append (sequence, timestamps, …) are values, not errors.
package enum StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The log directory stopped serving after this fault. Nothing of it is tried again before a
    /// restart: after a failed write or sync nobody knows what the disk holds.
    /// Kafka's answer is KAFKA_STORAGE_ERROR.
    case offline(directory: String, cause: FileFault)
    /// A file operation failed outside a partition's log, such as when a directory is opened.
    case file(FileFault)
    /// Another process uses the directory.
    case locked(directory: String)
    /// The directory was never formatted: `meta.properties` is missing.
    case notFormatted(directory: String)
    /// The directory is formatted already.
    case alreadyFormatted(directory: String)
    /// `meta.properties` names a version that this program does not know.
    case unsupportedVersion(directory: String, version: String)
    /// The directory belongs to another cluster or node: the property, what it says, what was
    /// asked.
    case foreign(directory: String, property: String, found: String, expected: String)
    /// A file does not hold what its format demands.
    case malformed(path: String, reason: String)

    package var description: String {
        switch self {
        case .offline(let directory, let cause):
            "log directory \(directory) is offline: \(cause)"
        case .file(let fault): fault.description
        case .locked(let directory):
            "log directory \(directory) is in use by another process"
        case .notFormatted(let directory):
            "log directory \(directory) is not formatted: run `millrace storage format`"
        case .alreadyFormatted(let directory):
            "log directory \(directory) is formatted already"
        case .unsupportedVersion(let directory, let version):
            "log directory \(directory) has meta.properties version \(version), "
                + "this program knows 1: use the program that wrote it"
        case .foreign(let directory, let property, let found, let expected):
            "log directory \(directory) has \(property)=\(found), expected \(expected)"
        case .malformed(let path, let reason): "\(path): \(reason)"
        }
    }
}
