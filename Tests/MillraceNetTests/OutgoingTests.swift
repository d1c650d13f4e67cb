import MillraceBase
import MillraceNet
import Testing

@Suite struct OutgoingTests {
    @Test func plainConnectionsCarryFrames() throws {
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        try loop.listen(on: socket) { TestHandler.echo() }
        for host in ["127.0.0.1", "localhost"] {
            let client = try TLSClient(host: host, port: socket.address.port, nil)
            #expect(try client.events.next() == .opened)
            client.send(framed([1, 2, 3]))
            #expect(try client.events.next() == .frame([1, 2, 3]))
        }
    }

    @Test func whatIsSentBeforeTheConnectionStandsIsSentThen() throws {
        let fixture = try TLSFixture()
        let server = try TLSServer(try fixture.holder())
        let client = try TLSClient(port: server.port, fixture.clientSettings)
        client.send(framed([4]))
        #expect(try client.events.next() == .opened)
        #expect(try client.events.next() == .frame([4]))
    }

    @Test func aPortWithoutListenerIsTold() throws {
        let port = try ListeningSocket(name: "A", host: "127.0.0.1", port: 0).address.port
        let client = try TLSClient(host: "127.0.0.1", port: port, nil)
        guard case .closed(.connectFailed(.system(let call, let code))) = try client.events.next()
        else {
            Issue.record("not refused")
            return
        }
        #expect(call == "connect to 127.0.0.1:\(port)" && code == 111)
    }

    @Test func aNameWithoutAddressIsTold() throws {
        let client = try TLSClient(host: "no-such-host.invalid", port: 9092, nil)
        guard case .closed(.connectFailed(.unresolved(let host, _))) = try client.events.next()
        else {
            Issue.record("resolved")
            return
        }
        #expect(host == "no-such-host.invalid")
    }

    @Test func aServerThatSaysNothingTimesOut() throws {
        let silent = try ListeningSocket(name: "A", host: "127.0.0.1", port: 0)
        let fixture = try TLSFixture()
        let client = try TLSClient(
            host: "127.0.0.1", port: silent.address.port, fixture.clientSettings,
            timeout: .milliseconds(200))
        guard case .closed(.handshakeFailed(let failure)) = try client.events.next() else {
            Issue.record("not ended")
            return
        }
        #expect(failure.reason == "it was not finished in time")
    }

    @Test func aCertificateWithAnotherNameIsRefused() throws {
        let fixture = try TLSFixture(names: ["other.example", "127.0.0.2"])
        let server = try TLSServer(try fixture.holder())
        for host in ["localhost", "127.0.0.1"] {
            let client = try TLSClient(host: host, port: server.port, fixture.clientSettings)
            guard case .closed(.handshakeFailed(let failure)) = try client.events.next() else {
                Issue.record("not refused")
                return
            }
            #expect(failure.reason == "certificate verify failed")
            #expect(failure.verifyError?.contains("mismatch") == true)
        }
        // Nothing but the name was wrong.
        var lax = fixture.clientSettings
        lax.verifiesHostname = false
        let client = try TLSClient(port: server.port, lax)
        #expect(try client.events.next() == .opened)
    }

    @Test func aCertificateForTheAddressIsTaken() throws {
        let fixture = try TLSFixture()
        let server = try TLSServer(try fixture.holder())
        let client = try TLSClient(
            host: "127.0.0.1", port: server.port, fixture.clientSettings)
        #expect(try client.events.next() == .opened)
        #expect(try server.opened.next().serverName == nil)
    }

    @Test func aServerOfAnotherAuthorityIsRefused() throws {
        let fixture = try TLSFixture()
        let foreign = try TLSFixture()
        let server = try TLSServer(try fixture.holder())
        let client = try TLSClient(port: server.port, foreign.clientSettings)
        guard case .closed(.handshakeFailed(let failure)) = try client.events.next() else {
            Issue.record("not refused")
            return
        }
        #expect(failure.verifyError != nil)
        // The server is told by an alert.
        guard case .handshakeFailed(let told) = try server.closed.next() else {
            Issue.record("the server saw no failure")
            return
        }
        #expect(told.reason.contains("alert"))
    }

    @Test func aClientsCertificateReachesTheServer() throws {
        let fixture = try TLSFixture()
        var settings = fixture.serverSettings
        settings.clientAuth = .required
        settings.trusted = .file(fixture.authorityFile)
        let server = try TLSServer(try fixture.holder(settings))
        var mine = fixture.clientSettings
        mine.certificateChain = .file("\(fixture.path)/client.crt")
        mine.key = .file("\(fixture.path)/client.key")
        let client = try TLSClient(port: server.port, mine)
        #expect(try client.events.next() == .opened)
        #expect(try server.opened.next().peerSubject == "CN=alice")
        // Under TLS 1.3 a client without one learns of it after its own handshake.
        let naked = try TLSClient(port: server.port, fixture.clientSettings)
        var event = try naked.events.next()
        if event == .opened { event = try naked.events.next() }
        guard case .closed(.tlsError(let reason)) = event else {
            Issue.record("\(event)")
            return
        }
        #expect(reason.contains("certificate required"))
    }
}
