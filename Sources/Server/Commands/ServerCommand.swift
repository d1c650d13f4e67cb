package import Broker
internal import Glibc
internal import MillraceBase

/// `millrace server`: runs a node until a signal asks it to stop.
package enum ServerCommand {
    /// Starts the node, waits for SIGTERM or SIGINT, stops it.
    ///
    /// Called on the main thread before any other is started: the signals are blocked for all.
    /// - Returns: the process's exit code.
    package static func run(_ settings: NodeSettings) throws(CommandError) -> Int32 {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        signal(SIGPIPE, SIG_IGN)
        let sink = LogSink(level: settings.logLevel, format: settings.logFormat)
        sink.setNode(settings.nodeID)
        let node = try NodeProcess(settings, sink: sink)
        for listener in node.listeners {
            sink.logger("node").info(
                "listening",
                [
                    "listener": .text(listener.name), "host": .text(listener.host),
                    "port": LogValue(listener.port),
                ])
        }
        var number: Int32 = 0
        while sigwait(&signals, &number) != 0 {}
        sink.logger("node").info("stopping", ["signal": LogValue(number)])
        return node.stop() ? 0 : 1
    }
}
