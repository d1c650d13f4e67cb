import MillraceBase
import MillraceNet
import Testing

/// TLS with peers that do not read what they asked for.
@Suite struct SlowTLSTests {
    /// A client that sends 100 frames of 100,000 bytes and stops reading at the first answer.
    private func stalled(
        _ server: TLSServer, _ fixture: TLSFixture, _ frames: Events<[UInt8]>
    ) throws -> (loop: RunningLoop, id: ConnectionID) {
        let loop = try RunningLoop()
        var settings = ConnectionSettings()
        settings.tls = try TLSContextHolder(fixture.clientSettings, role: .client)
        settings.unsentBytesMax = 100 << 20  // it reads though the server does not
        let port = server.port
        let id = try loop.sync { [settings] loop in
            let handler = TestHandler()
            handler.onOpened = { connection in
                for index in 0..<100 { connection.send(framed(pattern(100_000, seed: index))) }
            }
            handler.onFrame = { frame, connection in
                frames.post(Array(frame))
                if frames.isFirst { connection.pauseReading() }
            }
            return loop.connect(
                toHost: "localhost", port: port, settings: settings, timeout: .seconds(10),
                handler: handler)
        }
        return (loop, id)
    }

    @Test func whoReadsLaterGetsEverythingAndTheOthersDoNotWait() throws {
        let fixture = try TLSFixture()
        let server = try TLSServer(try fixture.holder()) { $0.unsentBytesMax = 300_000 }
        let frames = Events<[UInt8]>()
        let slow = try stalled(server, fixture, frames)
        defer { slow.loop.stop() }
        #expect(try frames.next() == pattern(100_000, seed: 0))
        let other = try TLSClient(port: server.port, fixture.clientSettings)
        #expect(try other.events.next() == .opened)
        for index in 0..<50 {
            other.send(framed(pattern(10_000, seed: index)))
            #expect(try other.events.next() == .frame(pattern(10_000, seed: index)))
        }
        let id = slow.id
        slow.loop.post { $0.connection(id)?.resumeReading() }
        for index in 1..<100 { #expect(try frames.next() == pattern(100_000, seed: index)) }
    }

    @Test func whoNeverReadsIsClosedAsIdle() throws {
        let fixture = try TLSFixture()
        let server = try TLSServer(try fixture.holder()) {
            ($0.unsentBytesMax, $0.idleMax) = (300_000, .milliseconds(300))
        }
        let frames = Events<[UInt8]>()
        let slow = try stalled(server, fixture, frames)
        defer { slow.loop.stop() }
        #expect(try server.closed.next() == .idle)
    }
}
