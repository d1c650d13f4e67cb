package import Broker
internal import Glibc
internal import Storage

/// Reads the settings of a node from where a command line says.
package enum SettingsLoader {
    /// A longer file is no server.properties.
    static let fileBytesMax = 1 << 20

    /// Settings from a file, the environment and flags.
    /// - Parameters:
    ///   - path: of server.properties; nil for none.
    ///   - overrides: `key=value`, over all else.
    /// - Throws: the one line to print.
    package static func load(
        path: String?, environment: [String: String], overrides: [String]
    ) throws(CommandError) -> NodeSettings {
        var file: (name: String, text: String)?
        if let path {
            let contents: [UInt8]?
            do throws(FileFault) {
                contents = try PosixFileSystem().contents(path, max: fileBytesMax)
            } catch {
                throw CommandError(error.description)
            }
            guard let contents else { throw CommandError("\(path) does not exist") }
            file = (path, String(decoding: contents, as: UTF8.self))
        }
        do throws(ConfigError) {
            let config = try ServerConfig(
                file: file, environment: environment, overrides: overrides)
            return try NodeSettings(config)
        } catch {
            throw CommandError(error.description)
        }
    }

    /// The process's environment.
    package static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let mark = pair.firstIndex(of: "=") {
                variables[String(pair[..<mark])] = String(pair[pair.index(after: mark)...])
            }
            entry += 1
        }
        return variables
    }
}
