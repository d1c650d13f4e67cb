package import Broker
package import MillraceBase
internal import MillraceNet
internal import Storage
internal import Synchronization

/// A running node: its threads, listeners, disks and HTTP pages. Started and stopped from outside;
/// safe on any thread.
package final class NodeProcess: Sendable {
    /// A listener as it is reached.
    package struct Listener: Sendable {
        package var name: String
        package var host: String
        package var port: UInt16
    }

    package let listeners: [Listener]
    /// 0 if there is no HTTP.
    package let httpPort: UInt16
    private let directory: LogDirectory
    private let inboxes: [Mailbox<ShardInput>]
    private let shardThreads: [WorkerThread]
    private let control: ControlRunner
    private let disks: DiskThreads
    private let http: HTTPServer?
    private let health: NodeHealth
    private let stops: StopCount
    private let log: Log

    /// Starts a node and returns once its shards run; it serves when `waitUntilServing` returns.
    /// - Throws: one line that says what, where and how to mend it.
    package init(_ settings: NodeSettings, sink: LogSink) throws(CommandError) {
        let log = sink.logger("node")
        self.log = log
        for warning in settings.warnings { log.warn(warning, code: "config.warning") }
        _ = ProcessLimits.raiseDescriptorLimit()
        health = NodeHealth(clock: { SystemClock.instant() })
        health.report("metadata", problem: "not loaded yet")
        directory = try Self.openDirectory(settings)
        let data = directory
        health.watch("log directory") { data.offlineCause?.description }
        let metrics = NodeMetrics()
        let parts = NodeParts(
            settings: settings, directory: directory, metrics: metrics, sink: sink)
        let sockets = try parts.bind()
        listeners = sockets.map {
            Listener(name: $0.name, host: "\($0.address.ip)", port: $0.address.port)
        }
        disks = try Self.net { () throws(NetError) in try DiskThreads(count: settings.diskThreads) }
        let started = try parts.start(sockets: sockets, disks: disks, health: health)
        (inboxes, shardThreads, control) = (started.inboxes, started.threads, started.control)
        stops = started.stops
        http = try parts.startHTTP(health)
        httpPort = http?.port ?? 0
        log.info(
            "node started",
            [
                "directory": .text(directory.path),
                "shards": LogValue(inboxes.count),
            ])
    }

    static func net<T>(_ body: () throws(NetError) -> T) throws(CommandError) -> T {
        do throws(NetError) { return try body() } catch { throw CommandError(error.description) }
    }

    private static func openDirectory(
        _ settings: NodeSettings
    ) throws(CommandError) -> LogDirectory {
        guard settings.logDirectories.count == 1, let path = settings.logDirectories.first else {
            throw CommandError(
                "log.dirs names \(settings.logDirectories.count) directories; "
                    + "this version uses one: name one")
        }
        if settings.formatsEmptyDirectory { try StorageCommand.formatIfEmpty(settings) }
        do throws(StorageError) {
            return try LogDirectory.open(
                path, fileSystem: PosixFileSystem(), nodeID: settings.nodeID)
        } catch {
            throw CommandError(error.description)
        }
    }

    /// Whether the node serves clients.
    package var isServing: Bool { health.isReady }

    /// Stops: no new connections, logs closed and flushed, the mark of a clean stop.
    /// - Returns: whether the stop was clean.
    package func stop() -> Bool {
        health.stop()
        for inbox in inboxes { inbox.post(.stopServing) }
        control.stop()
        let brokerEpoch = control.brokerEpoch
        for inbox in inboxes { inbox.post(.stop) }
        for thread in shardThreads { thread.join() }
        disks.stop()
        http?.stop()
        guard stops.areClean else {
            log.error("the logs could not be closed: the next start recovers them")
            return false
        }
        do throws(StorageError) {
            try directory.close(brokerEpoch: brokerEpoch)
            log.info("node stopped")
            return true
        } catch {
            log.error("no clean stop", ["cause": .text(error.description)])
            return false
        }
    }
}

/// Counts how the shards ended.
final class StopCount: Sendable {
    private let unclean = Atomic<Int>(0)

    func stopped(isClean: Bool) {
        if !isClean { unclean.wrappingAdd(1, ordering: .relaxed) }
    }

    var areClean: Bool { unclean.load(ordering: .acquiring) == 0 }
}
