internal import Broker
internal import Glibc
internal import MillraceBase
internal import MillraceNet
internal import MillraceProtocol
internal import Storage

/// Makes the parts of a node, in the order of starting.
struct NodeParts {
    let settings: NodeSettings
    let directory: LogDirectory
    let metrics: NodeMetrics
    let sink: LogSink

    /// What runs once all threads are started.
    struct Started {
        var inboxes: [Mailbox<ShardInput>]
        var threads: [WorkerThread]
        var control: ControlRunner
        var stops: StopCount
    }

    /// Binds the listeners of clients, so that a port in use is known before anything else begins.
    func bind() throws(CommandError) -> [ListeningSocket] {
        var sockets: [ListeningSocket] = []
        for listener in settings.listeners where !listener.isController {
            let backlog = Int32(clamping: acceptBacklog)
            do throws(NetError) {
                sockets.append(
                    try ListeningSocket(
                        name: listener.name, host: listener.host, port: listener.port,
                        backlog: backlog))
            } catch {
                throw CommandError(
                    "listener \(listener.name): \(error.description): "
                        + Self.remedy(for: error, setting: "listeners"))
            }
        }
        return sockets
    }

    /// Kafka's default of 50 makes a burst of clients wait for a second and more: the kernel drops
    /// what does not fit. The kernel's own limit holds in any case.
    private var acceptBacklog: Int {
        let isSet = settings.config.explicit["socket.listen.backlog.size"] != nil
        return isSet ? settings.network.backlog : max(settings.network.backlog, 4096)
    }

    /// What mends an address that cannot be listened on.
    private static func remedy(for error: NetError, setting: String) -> String {
        if case .addressInUse = error { return "end that process, or change \(setting)" }
        return "change \(setting)"
    }

    /// How many shards there are: `millrace.shards`, or by the number of processors.
    var shardCount: Int {
        guard settings.shards == 0 else { return settings.shards }
        let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        return processors <= 2 ? 1 : min(processors - 1, 8)
    }

    /// Starts shards and control loop. Listeners are opened when the metadata has been taken up.
    func start(
        sockets: [ListeningSocket], disks: DiskThreads, health: NodeHealth
    ) throws(CommandError) -> Started {
        let count = shardCount
        var wakers: [Waker] = []
        var inboxes: [Mailbox<ShardInput>] = []
        for _ in 0..<count {
            let waker = try NodeProcess.net { () throws(NetError) in try Waker() }
            wakers.append(waker)
            inboxes.append(Mailbox(waker: waker))
        }
        let quota = ConnectionQuota()
        Self.limit(quota, settings.network.limits)
        let memory = MemoryBudget(limit: settings.network.queuedRequestBytesMax)
        let listening = try listeningSettings(sockets, quota, memory)
        let configure = networkChange(quota, listening)
        let boxes = inboxes
        let ports = Dictionary(
            sockets.map { ($0.name, $0.address.port) }, uniquingKeysWith: { $1 })
        let control = try ControlRunner(
            settings: settings, directory: directory,
            post: { shard, message in boxes[shard].post(.message(message)) }, shardCount: count,
            listenerPorts: ports, log: sink.logger("control"), metrics: metrics,
            onServing: {
                health.report("metadata", problem: nil)
                for box in boxes { box.post(.serve(listening)) }
            })
        let stops = StopCount()
        let around = ShardLoop.Surroundings(
            shards: inboxes, control: { control.post($0) }, disks: disks,
            checkpoints: CheckpointWriter(shards: count, log: sink.logger("storage")),
            metrics: metrics, requestMemory: memory, configureNetwork: configure,
            stopped: { stops.stopped(isClean: $0) }, log: sink.logger("net"))
        var threads: [WorkerThread] = []
        for index in 0..<count {
            threads.append(try startShard(index, of: count, wakers[index], around, health))
        }
        return Started(inboxes: inboxes, threads: threads, control: control, stops: stops)
    }

    private func startShard(
        _ index: Int, of count: Int, _ waker: Waker, _ around: ShardLoop.Surroundings,
        _ health: NodeHealth
    ) throws(CommandError) -> WorkerThread {
        let identity = ShardIdentity(
            index: index, count: count, settings: settings,
            clusterID: directory.identity.clusterID, directory: directory)
        let shardMetrics = metrics.shard(
            apis: HandlerTable.all.map { ($0.api.rawValue, $0.api.name) })
        let (netLog, shardLog) = (sink.logger("net"), sink.logger("broker"))
        let filesMax = Self.openFilesMax(shards: count)
        return try NodeProcess.net { () throws(NetError) in
            try WorkerThread(name: "shard-\(index)") {
                let loop: EventLoop
                do throws(NetError) {
                    loop = try EventLoop(waker: waker, log: netLog)
                } catch {
                    netLog.error("no event loop", ["cause": .text(error.description)])
                    health.report("shard-\(index)", problem: error.description)
                    return around.stopped(false)
                }
                let shard = Shard(
                    identity, metrics: shardMetrics, files: OpenFileCache(capacity: filesMax),
                    log: shardLog, now: SystemClock.now(),
                    makeRandom: { SystemRandomNumberGenerator() })
                let runner = ShardLoop(
                    loop: loop, waker: waker, shard: shard, inbox: around.shards[index],
                    around: around)
                Self.beat(loop, "shard-\(index)", health)
                runner.run()
            }
        }
    }

    /// A loop that turns says so once a second.
    private static func beat(_ loop: EventLoop, _ name: String, _ health: NodeHealth) {
        health.beat(name)
        loop.schedule(at: loop.now + .seconds(1)) { [weak loop] in
            if let loop { beat(loop, name, health) }
        }
    }

    /// Log files that a shard keeps open: half of what the process may, the rest is for
    /// connections.
    private static func openFilesMax(shards: Int) -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return 256
        }
        return max(64, min(16_384, Int(clamping: limit.rlim_cur) / 2 / shards))
    }

    private static func limit(_ quota: ConnectionQuota, _ limits: ConnectionLimits) {
        quota.update(total: limits.total, perIP: limits.perAddress, overrides: limits.byAddress)
    }

    /// What is done when the cluster's metadata changes settings of the network.
    private func networkChange(
        _ quota: ConnectionQuota, _ listening: [ShardInput.Listening]
    ) -> @Sendable (DynamicNetwork) -> Void {
        let log = sink.logger("net")
        return { network in
            Self.limit(quota, network.limits)
            for entry in listening {
                guard let holder = entry.settings.tls, let tls = network.tls[entry.socket.name]
                else { continue }
                do throws(NetError) {
                    guard try holder.replace(MillraceNet.TLSSettings(tls)) else { continue }
                    log.info(
                        "TLS settings taken up", ["listener": .text(entry.socket.name)])
                } catch {
                    log.error(
                        "changed TLS settings are not taken up, the earlier ones stay",
                        code: "net.certificate",
                        [
                            "listener": .text(entry.socket.name),
                            "cause": .text(error.description),
                        ])
                }
            }
        }
    }

    private func listeningSettings(
        _ sockets: [ListeningSocket], _ quota: ConnectionQuota, _ budget: MemoryBudget
    ) throws(CommandError) -> [ShardInput.Listening] {
        let network = settings.network
        metrics.memory(owner: "requests") { Double(budget.used) }
        metrics.memory(owner: "process") { ProcessMemory.residentBytes().map(Double.init) }
        let counters = NetCounters()
        metrics.observe(counters)
        var listening: [ShardInput.Listening] = []
        let clients = settings.listeners.filter { !$0.isController }
        for (socket, listener) in zip(sockets, clients) {
            var connections = ConnectionSettings()
            connections.frameBytesMax = Int32(clamping: network.requestBytesMax)
            connections.idleMax = network.idle
            connections.unsentBytesMax = network.unsentBytesMax
            // Kafka's defaults of 100 KiB were measured to be no better than what is used here.
            let isSet = settings.config.explicit
            if isSet["socket.send.buffer.bytes"] != nil {
                connections.sendBufferBytes = Int32(clamping: network.sendBufferBytes)
            }
            if isSet["socket.receive.buffer.bytes"] != nil {
                connections.receiveBufferBytes = Int32(clamping: network.receiveBufferBytes)
            }
            connections.budget = budget
            connections.quota = quota
            connections.counters = counters
            if let tls = listener.tls { connections.tls = try holder(listener, tls) }
            listening.append(ShardInput.Listening(socket: socket, settings: connections))
        }
        return listening
    }

    private func holder(
        _ listener: ListenerSettings, _ tls: Broker.TLSSettings
    ) throws(CommandError) -> TLSContextHolder {
        do throws(NetError) {
            let holder = try TLSContextHolder(MillraceNet.TLSSettings(tls), role: .server)
            metrics.certificateExpiry(listener: listener.name) {
                holder.certificateExpiry.map(Double.init)
            }
            warnAboutNames(listener, holder)
            return holder
        } catch {
            throw CommandError("listener \(listener.name): \(error.description)")
        }
    }

    /// Clients check the name that they are told against the certificate.
    private func warnAboutNames(_ listener: ListenerSettings, _ holder: TLSContextHolder) {
        guard let host = listener.advertisedHost,
            let certificate = holder.current.certificate,
            !certificate.namesNotCovered(of: [host]).isEmpty
        else { return }
        sink.logger("net").warn(
            "the certificate does not name the advertised host: clients will refuse it",
            code: "net.certificate.name",
            ["listener": .text(listener.name), "host": .text(host)])
    }

    func startHTTP(_ health: NodeHealth) throws(CommandError) -> HTTPServer? {
        guard let (host, port) = settings.http else { return nil }
        let pages = NodePages(health: health, registry: metrics.registry)
        do throws(NetError) {
            return try HTTPServer(host: host, port: port) { pages.answer($0) }
        } catch {
            throw CommandError(
                "millrace.http.listener: \(error.description): "
                    + Self.remedy(for: error, setting: "millrace.http.listener"))
        }
    }
}

extension ConnectionLimits {
    /// The overrides of what are addresses.
    fileprivate var byAddress: [IPAddress: Int] {
        var limits: [IPAddress: Int] = [:]
        for (text, limit) in overrides {
            if let address = IPAddress(text) { limits[address] = limit }
        }
        return limits
    }
}

extension NodeMetrics {
    /// Shows what the network counts.
    fileprivate func observe(_ counters: NetCounters) {
        registry.gauge("millrace_net_connections", help: "Connections open now.") {
            Double(counters.connectionsOpen.value)
        }
        let counts: [(name: String, help: String, counter: NetCounter)] = [
            ("connections_accepted_total", "Connections accepted.", counters.connectionsAccepted),
            (
                "connections_refused_total", "Connections closed at once because of a limit.",
                counters.connectionsRefused
            ),
            ("tls_handshakes_failed_total", "Failed TLS handshakes.", counters.handshakesFailed),
            ("received_bytes_total", "Bytes read from sockets.", counters.bytesReceived),
            ("sent_bytes_total", "Bytes written to sockets.", counters.bytesSent),
        ]
        for (name, help, counter) in counts {
            registry.counter("millrace_net_\(name)", help: help) { Int64(counter.value) }
        }
    }
}
