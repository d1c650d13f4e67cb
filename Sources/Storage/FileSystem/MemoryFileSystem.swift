internal import MillraceBase
internal import Synchronization

/// Files in memory whose disk behaves badly on demand: for tests and for the simulator.
///
/// What is written is in the "page cache"; `sync` makes a file's content durable, `syncDirectory` a
/// directory's names. `crash` keeps what is durable and, of the rest, what a generator chooses:
/// any prefix of the names' changes, and of a file's content any of its unsynced sectors and any
/// size between the durable one and the last. Faults are set by `fail`; a full disk by `capacity`.
package final class MemoryFileSystem: FileSystem {
    /// Operations that can be made to fail.
    package enum Operation: String, Hashable, Sendable {
        case open, read, write, sync, rename, remove, truncate, list
    }

    /// What a disk writes at once.
    static let sector = 512

    fileprivate final class Content: Sendable {
        struct Bytes {
            var now: [UInt8] = []
            var durable: [UInt8] = []
            var modifiedMs: Int64 = 0
        }
        let bytes = Mutex(Bytes())
    }

    /// A change of a directory's names; nil is "no such name".
    private struct NameChange {
        var directory: String
        var bindings: [(path: String, content: Content?)]
    }

    private struct Fault {
        var operation: Operation
        var pathSuffix: String
        var code: Int32
        var countdown: Int
        var isLasting: Bool
    }

    private struct State {
        var names: [String: Content] = [:]
        var durableNames: [String: Content] = [:]
        var changes: [NameChange] = []
        var directories: Set<String> = ["", "/"]
        var locks: Set<String> = []
        var faults: [Fault] = []
        var capacity: Int64 = .max
        var operations: [Operation: Int] = [:]
        var clockMs: Int64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    // Faults

    /// Makes an operation fail.
    /// - Parameters:
    ///   - path: the end of the paths that it concerns; empty for all.
    ///   - code: the system's error number; 5 is EIO, 28 is ENOSPC.
    ///   - after: how many such operations pass before.
    ///   - lasting: whether it goes on failing.
    package func fail(
        _ operation: Operation, path: String = "", code: Int32, after: Int = 0,
        lasting: Bool = false
    ) {
        state.withLock {
            $0.faults.append(
                Fault(
                    operation: operation, pathSuffix: path, code: code, countdown: after,
                    isLasting: lasting))
        }
    }

    /// Takes all faults back.
    package func heal() { state.withLock { $0.faults = [] } }

    /// How many bytes all files together may have; a write beyond it is ENOSPC.
    package var capacity: Int64 {
        get { state.withLock { $0.capacity } }
        set { state.withLock { $0.capacity = newValue } }
    }

    /// How often an operation was asked for.
    package func count(_ operation: Operation) -> Int {
        state.withLock { $0.operations[operation, default: 0] }
    }

    /// The time that files bear as their last change.
    package func setClock(_ ms: Int64) { state.withLock { $0.clockMs = ms } }

    /// Power fails: what was not synced may be lost, in part or whole; locks are free.
    package func crash(using generator: inout some RandomNumberGenerator) {
        state.withLock { state in
            let kept =
                state.changes.isEmpty
                ? 0 : Int.random(in: 0...state.changes.count, using: &generator)
            for change in state.changes[..<kept] { Self.apply(change, to: &state.durableNames) }
            state.changes = []
            state.names = state.durableNames
            for path in state.names.keys.sorted() {
                state.names[path]?.bytes.withLock { Self.tear(&$0, using: &generator) }
            }
            state.locks = []
        }
    }

    private static func apply(_ change: NameChange, to names: inout [String: Content]) {
        for binding in change.bindings { names[binding.path] = binding.content }
    }

    private static func tear(
        _ bytes: inout Content.Bytes, using generator: inout some RandomNumberGenerator
    ) {
        guard bytes.now != bytes.durable else { return }
        let sizes = [bytes.now.count, bytes.durable.count].sorted()
        let size = Int.random(in: sizes[0]...sizes[1], using: &generator)
        var result = [UInt8](repeating: 0, count: size)
        for start in stride(from: 0, to: size, by: sector) {
            let end = min(start + sector, size)
            let source = Bool.random(using: &generator) ? bytes.now : bytes.durable
            for index in start..<end where index < source.count { result[index] = source[index] }
        }
        bytes.now = result
        bytes.durable = result
    }

    /// The process dies; what it wrote is in the page cache, nothing is lost. Locks are free.
    package func killProcess() { state.withLock { $0.locks = [] } }

    // FileSystem

    private func begin(_ operation: Operation, _ path: String) throws(FileFault) {
        let code = state.withLock { state -> Int32? in
            state.operations[operation, default: 0] += 1
            for index in state.faults.indices {
                let fault = state.faults[index]
                guard fault.operation == operation, path.hasSuffix(fault.pathSuffix) else {
                    continue
                }
                if fault.countdown > 0 {
                    state.faults[index].countdown -= 1
                    continue
                }
                if !fault.isLasting { state.faults.remove(at: index) }
                return fault.code
            }
            return nil
        }
        if let code { throw FileFault(operation: operation.rawValue, path: path, code: code) }
    }

    package func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any OpenFile {
        try begin(.open, path)
        let content = state.withLock { state -> Content? in
            if let content = state.names[path] {
                if mode == .replace { content.bytes.withLock { $0.now = [] } }
                return content
            }
            guard mode != .read, state.directories.contains(parentDirectory(path)) else {
                return nil
            }
            let content = Content()
            Self.change(&state, [(path, content)])
            return content
        }
        guard let content else {
            throw FileFault(operation: "open", path: path, code: systemNoEntry)
        }
        return MemoryFile(path: path, content: content, fileSystem: self)
    }

    private static func change(_ state: inout State, _ bindings: [(String, Content?)]) {
        let change = NameChange(
            directory: parentDirectory(bindings[0].0),
            bindings: bindings.map { (path: $0.0, content: $0.1) })
        apply(change, to: &state.names)
        state.changes.append(change)
    }

    package func list(_ directory: String) throws(FileFault) -> [DirectoryEntry] {
        try begin(.list, directory)
        let found = state.withLock { state -> [DirectoryEntry]? in
            guard state.directories.contains(directory) else { return nil }
            let prefix = directory + "/"
            var entries: [DirectoryEntry] = []
            for (path, content) in state.names where path.hasPrefix(prefix) {
                let name = path.dropFirst(prefix.count)
                guard !name.contains("/") else { continue }
                entries.append(
                    DirectoryEntry(name: String(name), attributes: Self.attributes(content)))
            }
            for path in state.directories where path.hasPrefix(prefix) {
                let name = path.dropFirst(prefix.count)
                guard !name.contains("/"), !name.isEmpty else { continue }
                entries.append(DirectoryEntry(name: String(name), attributes: Self.directory))
            }
            return entries.sorted { $0.name < $1.name }
        }
        guard let found else {
            throw FileFault(operation: "list", path: directory, code: systemNoEntry)
        }
        return found
    }

    private static let directory = FileAttributes(size: 0, modifiedMs: 0, isDirectory: true)

    private static func attributes(_ content: Content) -> FileAttributes {
        content.bytes.withLock {
            FileAttributes(
                size: Int64($0.now.count), modifiedMs: $0.modifiedMs, isDirectory: false)
        }
    }

    package func attributes(_ path: String) throws(FileFault) -> FileAttributes? {
        state.withLock { state in
            if let content = state.names[path] { return Self.attributes(content) }
            return state.directories.contains(path) ? Self.directory : nil
        }
    }

    package func createDirectory(_ path: String) throws(FileFault) {
        state.withLock { state in
            var path = path
            // Directories are durable at once: their loss looks like the loss of all their names.
            while state.directories.insert(path).inserted { path = parentDirectory(path) }
        }
    }

    package func rename(_ path: String, to other: String) throws(FileFault) {
        try begin(.rename, path)
        let isDone = state.withLock { state -> Bool in
            if let content = state.names[path] {
                Self.change(&state, [(path, nil), (other, content)])
                return true
            }
            guard state.directories.contains(path) else { return false }
            Self.renameDirectory(&state, path, to: other)
            return true
        }
        guard isDone else {
            throw FileFault(operation: "rename", path: path, code: systemNoEntry)
        }
    }

    private static func renameDirectory(_ state: inout State, _ path: String, to other: String) {
        let moved = { (old: String) -> String? in
            guard old == path || old.hasPrefix(path + "/") else { return nil }
            return other + old.dropFirst(path.count)
        }
        state.directories = Set(state.directories.map { moved($0) ?? $0 })
        for names in [\State.names, \State.durableNames] {
            let pairs = state[keyPath: names].map { (moved($0.key) ?? $0.key, $0.value) }
            state[keyPath: names] = Dictionary(pairs) { _, last in last }
        }
        state.changes = state.changes.map { change in
            var change = change
            change.directory = moved(change.directory) ?? change.directory
            change.bindings = change.bindings.map { (moved($0.path) ?? $0.path, $0.content) }
            return change
        }
    }

    package func remove(_ path: String) throws(FileFault) {
        try begin(.remove, path)
        let isDone = state.withLock { state -> Bool in
            if state.names[path] != nil {
                Self.change(&state, [(path, nil)])
                return true
            }
            return state.directories.remove(path) != nil
        }
        guard isDone else {
            throw FileFault(operation: "remove", path: path, code: systemNoEntry)
        }
    }

    package func syncDirectory(_ path: String) throws(FileFault) {
        try begin(.sync, path)
        state.withLock { state in
            var rest: [NameChange] = []
            for change in state.changes {
                if change.directory == path {
                    Self.apply(change, to: &state.durableNames)
                } else {
                    rest.append(change)
                }
            }
            state.changes = rest
        }
    }

    package func space(_ path: String) throws(FileFault) -> DiskSpace {
        state.withLock {
            DiskSpace(total: $0.capacity, usable: max(0, $0.capacity - Self.used($0)))
        }
    }

    private static func used(_ state: State) -> Int64 {
        state.names.values.reduce(0) { $0 + Int64($1.bytes.withLock { $0.now.count }) }
    }

    package func lock(_ path: String) throws(FileFault) -> (any FileLock)? {
        _ = try open(path, .readWrite)
        let isFree = state.withLock { $0.locks.insert(path).inserted }
        return isFree ? MemoryLock(path: path, fileSystem: self) : nil
    }

    fileprivate func unlock(_ path: String) {
        state.withLock { _ = $0.locks.remove(path) }
    }

    fileprivate func write(
        _ bytes: UnsafeRawBufferPointer, to content: Content, at position: Int64, path: String
    ) throws(FileFault) {
        try begin(.write, path)
        let start = Int(position)
        let room = state.withLock { state -> Int in
            state.capacity == .max ? .max : Int(state.capacity - Self.used(state))
        }
        let clock = state.withLock { $0.clockMs }
        let written = content.bytes.withLock { content -> Int in
            let growth = max(0, start + bytes.count - content.now.count)
            let count = growth <= room ? bytes.count : max(0, bytes.count - (growth - room))
            if start + count > content.now.count {
                content.now += repeatElement(0, count: start + count - content.now.count)
            }
            content.now.replaceSubrange(start..<start + count, with: bytes[..<count])
            content.modifiedMs = clock
            return count
        }
        guard written == bytes.count else {
            throw FileFault(operation: "write", path: path, code: systemNoSpace)
        }
    }

    fileprivate func began(_ operation: Operation, _ path: String) throws(FileFault) {
        try begin(operation, path)
    }
}

/// A lock that is freed with its last reference, or when the process is said to die.
private final class MemoryLock: FileLock {
    private let path: String
    private let fileSystem: MemoryFileSystem
    init(path: String, fileSystem: MemoryFileSystem) {
        self.path = path
        self.fileSystem = fileSystem
    }
    deinit { fileSystem.unlock(path) }
}

/// An open file; it keeps its content though the name is gone.
private final class MemoryFile: OpenFile {
    let path: String
    let descriptor: Int32? = nil
    private let content: MemoryFileSystem.Content
    private let fileSystem: MemoryFileSystem

    init(path: String, content: MemoryFileSystem.Content, fileSystem: MemoryFileSystem) {
        self.path = path
        self.content = content
        self.fileSystem = fileSystem
    }

    func read(
        into buffer: UnsafeMutableRawBufferPointer, at position: Int64
    ) throws(FileFault) -> Int {
        try fileSystem.began(.read, path)
        guard position >= 0 else {
            throw FileFault(operation: "read", path: path, code: Self.invalidArgument)
        }
        let target = UnsafeMutableRawBufferPointer(buffer)
        nonisolated(unsafe) let memory = target
        return content.bytes.withLock { bytes in
            let start = min(Int(position), bytes.now.count)
            let count = min(memory.count, bytes.now.count - start)
            bytes.now.withUnsafeBytes {
                memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
            }
            return count
        }
    }

    /// The system's EINVAL.
    private static let invalidArgument: Int32 = 22

    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(FileFault) {
        try fileSystem.write(bytes, to: content, at: position, path: path)
    }

    func size() throws(FileFault) -> Int64 {
        content.bytes.withLock { Int64($0.now.count) }
    }

    func truncate(to size: Int64) throws(FileFault) {
        try fileSystem.began(.truncate, path)
        content.bytes.withLock { bytes in
            let size = Int(size)
            if size < bytes.now.count {
                bytes.now.removeLast(bytes.now.count - size)
            } else {
                bytes.now += repeatElement(0, count: size - bytes.now.count)
            }
        }
    }

    func sync() throws(FileFault) {
        try fileSystem.began(.sync, path)
        content.bytes.withLock { $0.durable = $0.now }
    }
}
