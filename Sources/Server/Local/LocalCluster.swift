internal import Broker
internal import Glibc
internal import Storage
internal import MillraceNet

/// `millrace local`: a cluster for development on this machine, in one directory.
///
/// `DIR/node-1/` holds server.properties, data/, node.log and node.pid; `DIR/ca/` the authority of
/// a cluster with TLS. Nodes listen on the loopback address and live on when the command has ended.
package struct LocalCluster {
    /// One node as it is now.
    package struct Node: Sendable {
        package var id: Int32
        /// As the pid file says; nil if it is not running.
        package var processID: Int32?
        package var isServing: Bool
        /// It was started, was not stopped, and is gone.
        package var hasDied: Bool
        package var pidFile: String
        package var dataDirectory: String
        package var logFile: String
        package var configFile: String
        package var ports: [UInt16]
    }

    /// The whole cluster as it is now.
    package struct Description: Sendable {
        /// `host:port[,host:port…]`; nil where no listener is of that kind.
        package var plaintext: String?
        package var tls: String?
        /// Path of the authority's certificate.
        package var ca: String?
        package var nodes: [Node]
    }

    package static let nodesMax = 1
    private static let host = "127.0.0.1"

    /// Absolute.
    let directory: String

    // MARK: making and opening

    /// Makes the files of a new cluster; nothing is started.
    /// - Parameter config: settings over those that it is given here.
    package static func make(
        directory path: String, tls: Bool, config: [(key: String, value: String)]
    ) throws(CommandError) -> LocalCluster {
        try LocalFiles.makeDirectory(path)
        let directory = try LocalFiles.absolute(path)
        if let name = try LocalFiles.firstEntry(of: directory) {
            let isCluster = LocalFiles.text(of: "\(directory)/node-1/server.properties") != nil
            throw CommandError(
                "\(path) is not empty (\(name))"
                    + (isCluster
                        ? ": millrace local start --dir \(path) starts the cluster that is there"
                        : ": give an empty or new directory"))
        }
        let cluster = LocalCluster(directory: directory)
        do throws(CommandError) {
            try cluster.makeFiles(ports: try FreePorts.take(tls ? 3 : 2), tls: tls, config: config)
        } catch {
            // What --config refused must not stay behind in a directory that was empty. Why it was
            // refused is told; that it could not be removed is seen at the next try.
            for name in ["node-1", "ca"] {
                try? PosixFileSystem().removeTree("\(directory)/\(name)")
            }
            throw error
        }
        return cluster
    }

    private func makeFiles(
        ports: [UInt16], tls: Bool, config: [(key: String, value: String)]
    ) throws(CommandError) {
        var settings: [(key: String, value: String)] = [
            ("process.roles", "broker,controller"), ("node.id", "1"), ("broker.rack", "r1"),
            (
                "listeners",
                "PLAINTEXT://\(Self.host):\(ports[0])"
                    + (tls ? ",SSL://\(Self.host):\(ports[2])" : "")
            ),
            ("millrace.http.listener", "\(Self.host):\(ports[1])"),
            ("log.dirs", "\(directory)/node-1/data"), ("millrace.storage.format", "true"),
            ("offsets.topic.replication.factor", "1"),
            ("transaction.state.log.replication.factor", "1"),
            ("transaction.state.log.min.isr", "1"),
        ]
        try LocalFiles.makeDirectory("\(directory)/node-1")
        if tls { settings += try makeCertificates() }
        for (key, value) in config {
            settings.removeAll { $0.key == key }
            settings.append((key, value))
        }
        let lines = settings.map { "\($0.key)=\(Self.escaped($0.value))\n" }.joined()
        try LocalFiles.write(
            "# Made by millrace local up.\n" + lines, to: configFile(1))
        _ = try self.settings(1)
    }

    /// A cluster that was made before.
    package init(existing path: String) throws(CommandError) {
        guard realpathExists(path),
            LocalFiles.text(of: "\(path)/node-1/server.properties") != nil
        else {
            throw CommandError(
                "\(path) holds no local cluster: millrace local up --dir \(path) makes one")
        }
        directory = try LocalFiles.absolute(path)
    }

    private init(directory: String) { self.directory = directory }

    /// Makes a directory with its parents; one that is there is no error.
    package static func makeDirectory(_ path: String) throws(CommandError) {
        try LocalFiles.makeDirectory(path)
    }

    /// A small file's text; nil if it cannot be read.
    package static func text(of path: String) -> String? { LocalFiles.text(of: path) }

    /// Writes a file whole or not at all.
    package static func write(_ text: String, to path: String) throws(CommandError) {
        try LocalFiles.write(text, to: path)
    }

    private func makeCertificates() throws(CommandError) -> [(key: String, value: String)] {
        let ca = "\(directory)/ca"
        try LocalFiles.makeDirectory(ca)
        do throws(NetError) {
            let authority = try CertificateAuthority(
                commonName: "Millrace development CA", days: 3650)
            try authority.write(to: ca)
            let issued = try authority.issue(
                commonName: "node-1", names: ["localhost", Self.host, "::1"], usage: .both,
                days: 825)
            try issued.write(to: "\(directory)/node-1", name: "node")
        } catch {
            throw CommandError(error.description)
        }
        return [
            ("millrace.ssl.certificate.file", "\(directory)/node-1/node.crt"),
            ("millrace.ssl.key.file", "\(directory)/node-1/node.key"),
            ("millrace.ssl.ca.file", "\(ca)/ca.crt"),
        ]
    }

    /// As java.util.Properties reads it back.
    private static func escaped(_ value: String) -> String {
        var text = value.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        if text.hasPrefix(" ") { text = "\\" + text }
        return text
    }

    // MARK: files

    private func configFile(_ id: Int32) -> String { "\(directory)/node-\(id)/server.properties" }
    private func pidFile(_ id: Int32) -> String { "\(directory)/node-\(id)/node.pid" }
    private func logFile(_ id: Int32) -> String { "\(directory)/node-\(id)/node.log" }
    private var identifiers: [Int32] { [1] }

    private func settings(_ id: Int32) throws(CommandError) -> NodeSettings {
        try SettingsLoader.load(path: configFile(id), environment: [:], overrides: [])
    }

    private func processID(_ id: Int32) -> Int32? {
        guard let text = LocalFiles.text(of: pidFile(id)),
            let found = text.split(whereSeparator: \.isWhitespace).first.flatMap({ Int32($0) }),
            DetachedProcess.isAlive(found, argument: configFile(id))
        else { return nil }
        return found
    }

    /// The file goes with the stop or the kill of a node, and stays when it dies by itself.
    private func hasPidFile(_ id: Int32) -> Bool { access(pidFile(id), F_OK) == 0 }

    /// Whether the node's last stop was clean, as it noted itself.
    private func wasStoppedCleanly(_ id: Int32) throws(CommandError) -> Bool {
        try settings(id).logDirectories.allSatisfy {
            access("\($0)/\(LogDirectory.cleanMark)", F_OK) == 0
        }
    }

    private func port(_ id: Int32, _ kind: SecurityProtocol) throws(CommandError) -> UInt16? {
        try settings(id).listeners.first { $0.securityProtocol == kind && !$0.isController }?.port
    }

    // MARK: what there is

    /// The cluster as it is now.
    package func describe() throws(CommandError) -> Description {
        var nodes: [Node] = []
        for id in identifiers { nodes.append(try node(id)) }
        let ca = "\(directory)/ca/ca.crt"
        return Description(
            plaintext: try bootstrap(.plaintext), tls: try bootstrap(.ssl),
            ca: access(ca, R_OK) == 0 ? ca : nil, nodes: nodes)
    }

    private func bootstrap(_ kind: SecurityProtocol) throws(CommandError) -> String? {
        var addresses: [String] = []
        for id in identifiers {
            if let port = try port(id, kind) { addresses.append("\(Self.host):\(port)") }
        }
        return addresses.isEmpty ? nil : addresses.joined(separator: ",")
    }

    private func node(_ id: Int32) throws(CommandError) -> Node {
        let settings = try settings(id)
        let running = processID(id)
        var ports = settings.listeners.filter { !$0.isController }.map(\.port)
        if let http = settings.http { ports.append(http.port) }
        let probed = try port(id, .plaintext)
        return Node(
            id: id, processID: running,
            isServing: running != nil && (probed.map { NodeProbe.isServing(port: $0) } ?? true),
            hasDied: running == nil && hasPidFile(id),
            pidFile: pidFile(id), dataDirectory: settings.logDirectories.first ?? "",
            logFile: logFile(id), configFile: configFile(id), ports: ports)
    }

    // MARK: starting and stopping

    /// Starts the nodes that do not run, and waits until each serves.
    /// - Parameters:
    ///   - only: one node; nil for all.
    ///   - timeout: for all together.
    /// - Returns: the nodes that ran before.
    @discardableResult
    package func start(only: Int32? = nil, timeout: Duration) throws(CommandError) -> [Int32] {
        let deadline = ContinuousClock.now + timeout
        let program = try DetachedProcess.ownProgram()
        // Settings by environment are for one node, these of a client are for none.
        let environment = SettingsLoader.environment().filter { !$0.key.hasPrefix("MILLRACE_") }
        let wanted = try chosen(only)
        let running = wanted.filter { processID($0) != nil }
        for id in wanted where !running.contains(id) {
            let started = try DetachedProcess.start(
                program, ["server", "--config", configFile(id)], environment: environment,
                log: logFile(id))
            try LocalFiles.write("\(started)\n", to: pidFile(id))
        }
        for id in wanted { try waitUntilServing(id, until: deadline) }
        return running
    }

    private func chosen(_ only: Int32?) throws(CommandError) -> [Int32] {
        guard let only else { return identifiers }
        guard identifiers.contains(only) else {
            throw CommandError("there is no node \(only) in \(directory)", exitCode: 64)
        }
        return [only]
    }

    private func waitUntilServing(
        _ id: Int32, until deadline: ContinuousClock.Instant
    ) throws(CommandError) {
        let probed = try port(id, .plaintext)
        var pause: UInt32 = 2_000
        while true {
            guard processID(id) != nil || isStarting(id) else {
                let why = LocalFiles.lastLine(of: logFile(id)) ?? "it wrote nothing"
                throw CommandError("node \(id) ended: \(why) (\(logFile(id)))")
            }
            guard let probed else { return }
            if NodeProbe.isServing(port: probed) { return }
            guard ContinuousClock.now < deadline else {
                throw CommandError(
                    "node \(id) does not serve yet: its log is \(logFile(id))", exitCode: 3)
            }
            usleep(pause)
            pause = min(pause * 2, 50_000)
        }
    }

    /// Between the spawn and the exec of a child its command line is not its own yet.
    private func isStarting(_ id: Int32) -> Bool {
        guard let text = LocalFiles.text(of: pidFile(id)),
            let found = text.split(whereSeparator: \.isWhitespace).first.flatMap({ Int32($0) })
        else { return false }
        var status: Int32 = 0
        return waitpid(found, &status, WNOHANG) == 0
    }

    /// Ends nodes and waits until they have ended.
    /// - Parameters:
    ///   - graceful: asks (SIGTERM) instead of killing (SIGKILL).
    ///   - removing: the files go next: what the log ended with is told, not where it is.
    /// - Returns: a line for each node that had died before, and one for each that was asked and
    ///   did not stop in good order.
    @discardableResult
    package func stop(
        only: Int32? = nil, graceful: Bool, removing: Bool = false, timeout: Duration
    ) throws(CommandError) -> (died: [String], unclean: [String]) {
        let deadline = ContinuousClock.now + timeout
        let wanted = try chosen(only)
        let died = wanted.filter { hasPidFile($0) && processID($0) == nil }
        let asked = wanted.filter { processID($0) != nil }
        var ending: [Int32: Int32] = [:]
        for id in asked {
            ending[id] = processID(id)
            if let running = ending[id] { Glibc.kill(running, graceful ? SIGTERM : SIGKILL) }
        }
        for id in wanted {
            while let running = processID(id)
                ?? ending[id].flatMap({ DetachedProcess.isEnding($0) ? $0 : nil })
            {
                guard ContinuousClock.now < deadline else {
                    throw CommandError(
                        "node \(id) (process \(running)) has not ended yet: its log is "
                            + "\(logFile(id)); millrace local kill ends it at once", exitCode: 3)
                }
                usleep(5_000)
            }
            unlink(pidFile(id))
        }
        guard graceful else { return ([], []) }
        var unclean: [String] = []
        for id in asked where try !wasStoppedCleanly(id) {
            unclean.append(
                "node \(id) did not stop cleanly"
                    + (removing ? ": " : ", its next start recovers its logs: ")
                    + log(id, removing))
        }
        return (died.map { "node \($0) had died before: \(log($0, removing))" }, unclean)
    }

    private func log(_ id: Int32, _ removing: Bool) -> String {
        guard removing else { return "its log is \(logFile(id))" }
        return "its log ended with \"\(LocalFiles.lastLine(of: logFile(id)) ?? "")\""
    }

    /// Removes the cluster's directory and all its data.
    package func remove() throws(CommandError) {
        for id in identifiers where processID(id) != nil {
            throw CommandError("node \(id) is running: millrace local down stops it first")
        }
        do throws(FileFault) {
            try PosixFileSystem().removeTree(directory)
        } catch {
            throw CommandError(error.description)
        }
    }
}

private func realpathExists(_ path: String) -> Bool { access(path, F_OK) == 0 }
