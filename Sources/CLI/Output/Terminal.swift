internal import Glibc
internal import MillraceNet
internal import Synchronization

/// Standard output and error of the process.
enum Terminal {
    static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }
    static var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    /// Whether standard error takes colours: a terminal, and `NO_COLOR` is not set (no-color.org).
    static var hasColor: Bool {
        errorIsTerminal && (getenv("NO_COLOR").map { $0.pointee == 0 } ?? true)
    }

    /// Results that `held` keeps back; nil outside of it.
    private static let heldBack = Mutex<[UInt8]?>(nil)

    /// Results.
    static func write(_ text: String) { write(Array(text.utf8)) }
    static func write(_ bytes: [UInt8]) {
        let isHeld = heldBack.withLock { held in
            held?.append(contentsOf: bytes)
            return held != nil
        }
        if !isHeld { write(bytes, to: STDOUT_FILENO) }
    }

    /// What `body` writes as results, instead of its being written.
    static func held(_ body: () -> Void) -> String {
        heldBack.withLock { $0 = [] }
        body()
        return heldBack.withLock { held in
            defer { held = nil }
            return String(decoding: held ?? [], as: UTF8.self)
        }
    }

    /// Lines and columns of the terminal that standard output is.
    static var size: (lines: Int, columns: Int) {
        var size = winsize()
        let isKnown =
            ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0
            && size.ws_col > 0
        return isKnown ? (Int(size.ws_row), Int(size.ws_col)) : (24, 80)
    }

    /// Prose, for people.
    static func note(_ text: String) { write(Array((text + "\n").utf8), to: STDERR_FILENO) }

    /// A line over the last one, on a terminal.
    static func progress(_ text: String) {
        write(Array("\r\u{1B}[K\(text)".utf8), to: STDERR_FILENO)
    }

    static func error(_ text: String) {
        let name = hasColor ? "\u{1B}[31mmillrace:\u{1B}[0m" : "millrace:"
        note("\(name) \(text.replacing("\n", with: " "))")
    }

    /// Asks before something is destroyed. Without a terminal the answer is no.
    static func confirm(_ question: String) -> Bool {
        guard inputIsTerminal, errorIsTerminal else { return false }
        write(Array("\(question) [y/N] ".utf8), to: STDERR_FILENO)
        return ["y", "yes"].contains((readLine() ?? "").lowercased())
    }

    /// Writes whole; a reader that went away ends the process as it does other programs.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done)
            }
            if count >= 0 {
                done += count
            } else if errno == EPIPE {
                exit(descriptor == STDOUT_FILENO ? 141 : 1)
            } else if errno == EAGAIN {
                usleep(1000)
            } else if errno != EINTR {
                guard descriptor == STDOUT_FILENO else { return }
                error("cannot write the results: \(NetError.text(of: errno))")
                exit(1)
            }
        }
    }
}

/// `1 record`, `2 records`.
func counted(_ count: Int, _ thing: String) -> String {
    "\(count) \(thing)\(count == 1 ? "" : "s")"
}

extension Invocation {
    /// Asks before something destructive, unless `--yes` is there.
    func confirm(_ question: String) throws(CLIError) {
        guard !has("yes"), !Terminal.confirm(question) else { return }
        throw .usage("\(question) Not done: say --yes")
    }
}
