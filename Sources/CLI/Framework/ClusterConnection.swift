internal import MillraceClient
internal import MillraceClientCore
internal import MillraceProtocol
internal import Server

/// The clients that a command has opened.
final class ConnectedClients {
    var clients: [Admin] = []
}

extension Invocation {
    /// A client by the flags, the environment and the profile. It lives until `disconnect`, or as
    /// long as the process.
    func connect() throws(CLIError) -> Admin {
        let settings = try clientSettings()
        let client = try blocking { () async throws(ClientError) in
            try await Admin.open(settings)
        }
        connected.clients.append(client)
        return client
    }

    /// Closes what `connect` has opened: a command that is repeated opens new ones each time.
    func disconnect() {
        let clients = connected.clients
        connected.clients = []
        // Nothing is left to be told: what is not closed ends with the process.
        try? blocking { for client in clients { await client.close() } }
    }

    /// Where the cluster is and how it is spoken to.
    func clientSettings() throws(CLIError) -> ClientSettings {
        let environment = SettingsLoader.environment()
        let profile = try Profile.load(
            named: text("profile") ?? environment["MILLRACE_PROFILE"], environment)
        let variable = environment["MILLRACE_BOOTSTRAP_SERVER"]
        // A profile that a flag names is over the environment, one of the environment is not.
        let second = has("profile") ? profile["bootstrap.server"] ?? variable : variable
        let bootstrap =
            text("bootstrap-server") ?? second ?? profile["bootstrap.server"] ?? "localhost:9092"
        var settings: ClientSettings
        do throws(ClientError) {
            settings = try ClientSettings(bootstrap: bootstrap)
        } catch {
            throw CLIError(error)
        }
        settings.requestTimeout = timeout
        // Who does not answer leaves time for the next one.
        settings.connectTimeout = min(
            settings.connectTimeout, timeout / settings.bootstrap.count)
        let ca = text("ca") ?? profile["ca"]
        let certificate = text("cert") ?? profile["cert"]
        let key = text("key") ?? profile["key"]
        guard (certificate == nil) == (key == nil) else {
            throw .usage("--cert and --key belong together")
        }
        if ca != nil || certificate != nil || has("tls") || profile["tls"] == "true" {
            settings.useTLS(authority: ca, certificate: certificate, key: key)
        }
        return settings
    }
}

/// Throws if an answer says that a thing was refused.
func check(_ code: Int16, _ what: String) throws(CLIError) { try check(code, nil, what) }

/// The same with the broker's words.
func check(_ code: Int16, _ message: String?, _ what: String) throws(CLIError) {
    let error = ErrorCode(rawValue: code)
    guard error != .none else { return }
    throw CLIError(refusal(what, error, message), exitCode(of: error))
}

/// One line about a refusal: what, the protocol's name, the broker's words.
func refusal(_ what: String, _ error: ErrorCode, _ message: String?) -> String {
    let words = message.map { $0.isEmpty ? "" : ": \($0)" } ?? ""
    return "\(what): \(error)\(words)"
}

/// The exit code for a broker's refusal.
func exitCode(of error: ErrorCode) -> ExitCode {
    switch error {
    case .topicAuthorizationFailed, .groupAuthorizationFailed, .clusterAuthorizationFailed: .denied
    case .requestTimedOut: .unreachable
    default: .failed
    }
}

/// Settings of a connection by name: `NAME.bootstrap.server=…` in profiles.properties.
enum Profile {
    static let keys = ["bootstrap.server", "ca", "cert", "key", "tls"]

    /// The profile's settings; none if no profile is asked for.
    static func load(
        named name: String?, _ environment: [String: String]
    ) throws(CLIError) -> [String: String] {
        guard let name else { return [:] }
        let home = environment["HOME"] ?? ""
        let folder = environment["XDG_CONFIG_HOME"] ?? "\(home)/.config"
        let path = "\(folder)/millrace/profiles.properties"
        guard let text = LocalCluster.text(of: path) else {
            throw CLIError("profile \(name): \(path) does not exist", .usage)
        }
        var found: [String: String] = [:]
        var names: [String] = []
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: "=", maxSplits: 1).map(trimmed)
            guard parts.count == 2 else { continue }
            for key in keys where parts[0].hasSuffix("." + key) {
                let owner = String(parts[0].dropLast(key.count + 1))
                if owner == name { found[key] = parts[1] }
                if !names.contains(owner) { names.append(owner) }
            }
        }
        guard !found.isEmpty else {
            throw CLIError(
                "\(path) has no profile \(name)" + NearestName.hint(name, in: names), .usage)
        }
        return found
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" || last == "\r" {
            text.removeLast()
        }
        return String(text)
    }
}
