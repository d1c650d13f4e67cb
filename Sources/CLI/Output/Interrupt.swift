internal import Glibc
internal import Synchronization

/// Ctrl-C as a mark that loops look at, so that they end in good order.
enum Interrupt {
    private static let mark = Atomic<Bool>(false)

    static var isSet: Bool { mark.load(ordering: .relaxed) }

    /// From here on SIGINT and SIGTERM set the mark; a second one ends the process.
    static func watch() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                Interrupt.mark.store(true, ordering: .relaxed)
                signal(number, SIG_DFL)
            }
        }
    }
}

/// Progress on standard error: a line that changes on a terminal, else a line every ten seconds.
struct Progress {
    private let isTerminal = Terminal.errorIsTerminal
    private let began = ContinuousClock.now
    private var last = ContinuousClock.now
    private var shown = false
    private let verb: String

    init(_ verb: String) { self.verb = verb }

    /// Shows the count, if it is time.
    mutating func update(_ count: Int) {
        let now = ContinuousClock.now
        guard now - last > (isTerminal ? .milliseconds(200) : .seconds(10)) else { return }
        last = now
        let text = "\(verb) \(counted(count, "record")), \(rate(count, now)) a second"
        if isTerminal { Terminal.progress(text) } else { Terminal.note(text) }
        shown = true
    }

    /// Removes the line that changes.
    func end() { if shown, isTerminal { Terminal.progress("") } }

    private func rate(_ count: Int, _ now: ContinuousClock.Instant) -> Int {
        let seconds = max(0.001, Double((now - began).milliseconds) / 1000)
        return Int(Double(count) / seconds)
    }
}
