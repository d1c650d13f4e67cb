/// The open descriptors of a shard's logs: at most `capacity`; one that was not used lately is
/// closed for a new one. Who sends a slice holds its file by itself. Owned by one thread.
package final class OpenFileCache {
    private let capacity: Int
    /// Slots that hold an open file, in the order of a clock's face (second chance).
    private var slots: [FileSlot] = []
    private var hand = 0

    /// - Parameter capacity: how many files stay open between calls.
    package init(capacity: Int) {
        precondition(capacity > 0, "a log needs a file to write to")
        self.capacity = capacity
    }

    /// Files open now.
    package var count: Int { slots.count }

    func file(of slot: FileSlot) throws(FileFault) -> any OpenFile {
        if let file = slot.file {
            slot.wasUsed = true
            return file
        }
        let file: any OpenFile
        do throws(FileFault) {
            file = try slot.folder.fileSystem.open(slot.path, .readWrite)
        } catch {
            // Out of descriptors: those of idle logs are given back, before a log is given up.
            guard systemTooManyOpenFiles.contains(error.code), !slots.isEmpty else { throw error }
            closeAll()
            file = try slot.folder.fileSystem.open(slot.path, .readWrite)
        }
        keep(file, in: slot)
        return file
    }

    /// Closes every file that nobody else holds.
    package func closeAll() {
        for slot in slots {
            slot.file = nil
            slot.place = nil
        }
        slots = []
        hand = 0
    }

    private func keep(_ file: any OpenFile, in slot: FileSlot) {
        precondition(slot.place == nil, "a slot stands once in the cache")
        slot.file = file
        slot.wasUsed = true
        guard slots.count >= capacity else {
            slot.place = slots.count
            slots.append(slot)
            return
        }
        while slots[hand].wasUsed {
            slots[hand].wasUsed = false
            hand = (hand + 1) % slots.count
        }
        slots[hand].file = nil
        slots[hand].place = nil
        slots[hand] = slot
        slot.place = hand
        hand = (hand + 1) % slots.count
    }

    /// Lets go of the slot's file.
    func close(_ slot: FileSlot) {
        slot.file = nil
        guard let place = slot.place else { return }
        slot.place = nil
        let last = slots.removeLast()
        if last !== slot {
            slots[place] = last
            last.place = place
        }
        if hand >= slots.count { hand = 0 }
    }
}

/// The folder of one partition: where its files are, and by what they are opened.
final class LogFolder {
    let directory: LogDirectory
    let files: OpenFileCache
    /// `topic-0`, or another name once the partition is marked for deletion.
    var name: String

    var fileSystem: any FileSystem { directory.fileSystem }
    var path: String { directory.path + "/" + name }

    init(directory: LogDirectory, name: String, files: OpenFileCache) {
        self.directory = directory
        self.name = name
        self.files = files
    }

    func path(_ file: String) -> String { directory.path + "/" + name + "/" + file }

    /// Runs a file operation of the log; a fault takes the directory offline.
    func guarded<T>(_ body: () throws(FileFault) -> T) throws(StorageError) -> T {
        try checkOnline()
        do throws(FileFault) {
            return try body()
        } catch {
            directory.takeOffline(error)
            throw .offline(directory: directory.path, cause: directory.offlineCause ?? error)
        }
    }

    func checkOnline() throws(StorageError) {
        if let cause = directory.offlineCause {
            throw .offline(directory: directory.path, cause: cause)
        }
    }
}

/// A file of a segment that is opened when it is needed.
final class FileSlot {
    let folder: LogFolder
    let baseOffset: Int64
    let kind: SegmentFileKind
    fileprivate var file: (any OpenFile)?
    fileprivate var place: Int?
    fileprivate var wasUsed = false

    init(folder: LogFolder, baseOffset: Int64, kind: SegmentFileKind) {
        self.folder = folder
        self.baseOffset = baseOffset
        self.kind = kind
    }

    var name: String { kind.name(of: baseOffset) }
    var path: String { folder.path(name) }

    func open() throws(FileFault) -> any OpenFile { try folder.files.file(of: self) }
    func close() { folder.files.close(self) }
}

/// The files of a segment, by suffix.
enum SegmentFileKind: String, CaseIterable, Sendable {
    case log
    case index
    case timeindex
    case txnindex
    case snapshot

    /// The offset in 20 digits, and the suffix.
    func name(of offset: Int64) -> String { Self.digits(offset) + "." + rawValue }

    static func digits(_ offset: Int64) -> String {
        let text = String(offset)
        return String(repeating: "0", count: max(0, 20 - text.utf8.count)) + text
    }

    /// Reads a name such as `00000000000000000012.index`, without a further suffix.
    static func parse(_ name: some StringProtocol) -> (offset: Int64, kind: SegmentFileKind)? {
        guard let dot = name.firstIndex(of: "."),
            name.utf8.distance(
                from: name.startIndex, to: dot) == 20,
            let offset = Int64(name[..<dot]), offset >= 0,
            let kind = SegmentFileKind(rawValue: String(name[name.index(after: dot)...]))
        else { return nil }
        return (offset, kind)
    }
}
