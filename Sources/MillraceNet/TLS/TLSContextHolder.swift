internal import CMillrace
internal import Glibc
internal import Synchronization

/// The TLS context for new connections, exchanged when its files change. Any thread.
package final class TLSContextHolder: Sendable {
    /// What a look at the files found.
    package enum Reload: Sendable, Equatable {
        case unchanged
        /// New connections have the new certificates.
        case reloaded
        /// The old context stays; told once for each change of the files.
        case failed(NetError)
    }

    private struct Stamp: Equatable {
        var device: UInt
        var inode: UInt
        var size: Int
        var seconds: Int
        var nanoseconds: Int
    }

    private struct State {
        var settings: TLSSettings
        var context: TLSContext
        var loaded: [Stamp?]
        /// What the files looked like when last looked at: a change must stand for one interval, so
        /// that a certificate and its key, written one after the other, are taken up together.
        var seen: [Stamp?]
        var failed: [Stamp?]?
        var reloads = 0
    }

    private let role: TLSContext.Role
    private let state: Mutex<State>
    private let lastLook = Atomic<Int64>(0)

    package init(_ settings: TLSSettings, role: TLSContext.Role) throws(NetError) {
        self.role = role
        // Stamps first: a change during the load is then seen as one.
        let stamps = Self.stamps(of: settings)
        let context = try TLSContext(settings, role: role)
        state = Mutex(State(settings: settings, context: context, loaded: stamps, seen: stamps))
    }

    /// Gives new connections a context of other settings; on a failure the old one stays.
    /// - Returns: whether the settings are others than before.
    package func replace(_ settings: TLSSettings) throws(NetError) -> Bool {
        guard state.withLock({ $0.settings != settings }) else { return false }
        let stamps = Self.stamps(of: settings)
        let context = try TLSContext(settings, role: role)
        state.withLock { state in
            (state.settings, state.context) = (settings, context)
            (state.loaded, state.seen, state.failed) = (stamps, stamps, nil)
        }
        return true
    }

    /// What new connections use.
    package var current: TLSContext { state.withLock { $0.context } }

    /// How often new files were taken up.
    package var reloads: Int { state.withLock { $0.reloads } }

    /// The end of validity of the current certificate, in seconds since 1970, for metrics.
    package var certificateExpiry: Int64? { current.certificate?.notAfter }

    /// Whether a second has gone since the last look, by any loop; if so, the caller looks.
    func isLookDue(atNanoseconds now: Int64) -> Bool {
        let last = lastLook.load(ordering: .relaxed)
        guard now - last >= 1_000_000_000 else { return false }
        return lastLook.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
    }

    /// Looks whether the files have changed and takes them up if they look as at the last call.
    /// Listeners do this once a second.
    package func reloadIfChanged() -> Reload {
        let settings = state.withLock { $0.settings }
        let stamps = Self.stamps(of: settings)
        let stands = state.withLock { state in
            defer { state.seen = stamps }
            return stamps == state.seen && stamps != state.loaded && stamps != state.failed
        }
        guard stands else { return .unchanged }
        do {
            let context = try TLSContext(settings, role: role)
            state.withLock { state in
                // Meanwhile others may have been set.
                guard state.settings == settings else { return }
                state.context = context
                state.loaded = stamps
                state.failed = nil
                state.reloads += 1
            }
            return .reloaded
        } catch {
            state.withLock { $0.failed = stamps }
            return .failed(error)
        }
    }

    private static func stamps(of settings: TLSSettings) -> [Stamp?] {
        [settings.certificateChain, settings.key, settings.trusted].map { source in
            guard case .file(let path) = source else { return nil }
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            return Stamp(
                device: UInt(status.st_dev), inode: UInt(status.st_ino),
                size: Int(status.st_size), seconds: Int(status.st_mtim.tv_sec),
                nanoseconds: Int(status.st_mtim.tv_nsec))
        }
    }
}
