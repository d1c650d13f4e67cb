internal import Glibc

/// Faults of sockets, TLS and the HTTP server.
package enum NetError: Error, Equatable, Sendable {
    /// A system call failed with this `errno`.
    case system(String, Int32)
    /// Another socket listens there already.
    case addressInUse(String)
    /// The address is not one of this machine, or the port needs rights that we lack.
    case cannotBind(String, Int32)
    /// A text that is not `host`, an address or a port.
    case invalidAddress(String)
    /// The name has no address.
    case unresolved(String, String)
    /// Certificates, keys or TLS settings that cannot be used: one sentence that names the file or
    /// setting.
    case tls(String)
}

extension NetError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .system(let call, let code): "\(call): \(Self.text(of: code))"
        case .addressInUse(let address): "\(address) is in use by another process"
        case .cannotBind(let address, let code):
            "cannot listen on \(address): \(Self.text(of: code))"
        case .invalidAddress(let text): "\(text) is not an address"
        case .unresolved(let host, let why): "\(host) does not resolve: \(why)"
        case .tls(let text): text
        }
    }

    /// The system's words for an `errno`.
    package static func text(of code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        let found = strerror_r(code, &buffer, buffer.count)
        guard found == 0 else { return "error \(code)" }
        return String(
            decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
