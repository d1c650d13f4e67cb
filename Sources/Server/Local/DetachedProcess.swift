internal import CMillrace
internal import Glibc
internal import MillraceNet

/// A process that goes on without its parent, and what can be learnt of it by its id.
enum DetachedProcess {
    /// POSIX_SPAWN_SETSID, which the C headers hide from Swift.
    private static let newSession: Int16 = 0x80

    /// Starts a program in a session of its own, with none of our descriptors: input is empty,
    /// output and errors are appended to a file.
    /// - Returns: its process id.
    static func start(
        _ program: String, _ arguments: [String], environment: [String: String], log: String
    ) throws(CommandError) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        millrace_spawn_close_from(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, newSession | Int16(POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        var variables: [UnsafeMutablePointer<CChar>?] = environment.sorted { $0.key < $1.key }
            .map { strdup("\($0.key)=\($0.value)") }
        words.append(nil)
        variables.append(nil)
        defer { for text in words + variables { free(text) } }
        var id: pid_t = 0
        let status = posix_spawn(&id, program, &actions, &attributes, words, variables)
        guard status == 0 else {
            throw CommandError("cannot start \(program): \(NetError.text(of: status))")
        }
        return id
    }

    /// Whether the process lives and was started with this argument: ids are used again.
    static func isAlive(_ id: Int32, argument: String) -> Bool {
        guard id > 0 else { return false }
        // A child of ours that ended is taken off the list of processes.
        var status: Int32 = 0
        if waitpid(id, &status, WNOHANG) == id { return false }
        guard let line = LocalFiles.text(of: "/proc/\(id)/cmdline") else { return false }
        // What has ended and waits for its parent has an empty command line.
        return line.split(separator: "\0").contains { $0 == argument }
    }

    /// Whether a process that was signalled still gives back what it held: its memory and command
    /// line go first, its files and locks with the last of its threads.
    static func isEnding(_ id: Int32) -> Bool {
        guard let line = LocalFiles.text(of: "/proc/\(id)/cmdline"), line.isEmpty,
            let state = LocalFiles.text(of: "/proc/\(id)/stat")
        else { return false }
        // The fields follow the name, which may hold anything, in parentheses: the first is the
        // state, the eighteenth how many threads there are.
        let fields = state.split(separator: ")").last?.split(separator: " ") ?? []
        return fields.first != "Z" || fields.count > 17 && (Int(fields[17]) ?? 0) > 1
    }

    /// Our own executable.
    static func ownProgram() throws(CommandError) -> String {
        try LocalFiles.absolute("/proc/self/exe")
    }
}
