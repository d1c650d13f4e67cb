import Foundation
import MillraceBase
import MillraceNet
import Testing

@Suite struct TLSTests {
    @Test(arguments: [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
    func opensslTalksToUs(flag: String, version: String) throws {
        let fixture = try TLSFixture()
        let server = try TLSServer(try fixture.holder())
        let frame = framed(pattern(100))
        let run = try Run.sClient(
            port: server.port, fixture, [flag, "-verify_hostname", "localhost"], input: frame,
            until: frame.count)
        #expect(run.output == frame, "\(run.errors)")
        let info = try server.opened.next()
        #expect(info.version == version)
        #expect(info.serverName == "localhost")
        #expect(info.peerSubject == nil)
        #expect(!info.cipher.isEmpty)
    }

    @Test func largeFramesPassBothWays() throws {
        let fixture = try TLSFixture()
        let server = try TLSServer(try fixture.holder())
        let client = try TLSClient(port: server.port, fixture.clientSettings)
        #expect(try client.events.next() == .opened)
        for size in [1, 16_383, 16_384, 16_385, 65_536, 300_000, 3_000_000] {
            client.send(framed(pattern(size)))
            #expect(try client.events.next() == .frame(pattern(size)), "\(size)")
        }
        for index in 0..<500 { client.send(framed(pattern(index))) }
        for index in 0..<500 { #expect(try client.events.next() == .frame(pattern(index))) }
    }

    @Test func aRequiredCertificateIsAskedForAndNamesTheClient() throws {
        let fixture = try TLSFixture()
        var settings = fixture.serverSettings
        settings.clientAuth = .required
        settings.trusted = .file(fixture.authorityFile)
        let server = try TLSServer(try fixture.holder(settings))
        let frame = framed([1, 2, 3])
        for flag in ["-tls1_2", "-tls1_3"] {
            let run = try Run.sClient(
                port: server.port, fixture,
                [
                    flag, "-cert", "\(fixture.path)/client.crt", "-key",
                    "\(fixture.path)/client.key",
                ],
                input: frame, until: frame.count)
            #expect(run.output == frame, "\(run.errors)")
            #expect(try server.opened.next().peerSubject == "CN=alice")
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func withoutARequiredCertificateTheHandshakeFailsInOneLine(flag: String) throws {
        let fixture = try TLSFixture()
        var settings = fixture.serverSettings
        settings.clientAuth = .required
        settings.trusted = .file(fixture.authorityFile)
        let server = try TLSServer(try fixture.holder(settings))
        let run = try Run.sClient(port: server.port, fixture, [flag], input: framed([1]), until: 5)
        #expect(run.output.isEmpty)
        guard case .handshakeFailed(let failure) = try server.closed.next() else {
            Issue.record("not a failed handshake")
            return
        }
        #expect(failure.reason == "peer did not return a certificate")
        #expect(failure.serverName == "localhost")
        #expect(failure.peer.hasPrefix("127.0.0.1:"))
        let line = try server.lines.next()
        #expect(
            line.contains("net.handshake") && line.contains("peer did not return a certificate"))
        #expect(line.contains("localhost") && line.contains("TLSv1."))
    }

    @Test func aCertificateOfAnotherAuthorityIsRefusedWithTheReason() throws {
        let fixture = try TLSFixture()
        let foreign = try TLSFixture()
        var settings = fixture.serverSettings
        settings.clientAuth = .requested
        settings.trusted = .file(fixture.authorityFile)
        let server = try TLSServer(try fixture.holder(settings))
        _ = try Run.sClient(
            port: server.port, fixture,
            ["-cert", "\(foreign.path)/client.crt", "-key", "\(foreign.path)/client.key"],
            input: framed([1]), until: 5)
        guard case .handshakeFailed(let failure) = try server.closed.next() else {
            Issue.record("not a failed handshake")
            return
        }
        #expect(failure.verifyError != nil)
        #expect(try server.lines.next().contains("certificate: "))
    }

    @Test func aRequestedCertificateMayBeMissing() throws {
        let fixture = try TLSFixture()
        var settings = fixture.serverSettings
        settings.clientAuth = .requested
        settings.trusted = .file(fixture.authorityFile)
        let server = try TLSServer(try fixture.holder(settings))
        let frame = framed([5])
        let run = try Run.sClient(port: server.port, fixture, input: frame, until: frame.count)
        #expect(run.output == frame)
        #expect(try server.opened.next().peerSubject == nil)
    }

    @Test func plainTextOnATLSPortIsExplained() throws {
        let fixture = try TLSFixture()
        let server = try TLSServer(try fixture.holder())
        let client = try TestSocket(port: server.port)
        try client.send(framed([0, 18, 0, 0] + pattern(30)))
        #expect(client.isClosedByPeer())
        guard case .handshakeFailed(let failure) = try server.closed.next() else {
            Issue.record("not a failed handshake")
            return
        }
        #expect(failure.reason == "wrong version number")
    }

    @Test func aHandshakeThatIsNotFinishedIsEnded() throws {
        let fixture = try TLSFixture()
        let server = try TLSServer(try fixture.holder()) {
            $0.handshakeTimeout = .milliseconds(100)
        }
        let client = try TestSocket(port: server.port)
        #expect(client.isClosedByPeer())
        guard case .handshakeFailed(let failure) = try server.closed.next() else {
            Issue.record("not a failed handshake")
            return
        }
        #expect(failure.reason == "it was not finished in time")
    }

    @Test func sessionsAreResumedByTickets() throws {
        let fixture = try TLSFixture()
        let server = try TLSServer(try fixture.holder())
        let session = "\(fixture.path)/session"
        let frame = framed([1])
        for flag in ["-tls1_2", "-tls1_3"] {
            for (option, resumed) in [("-sess_out", false), ("-sess_in", true)] {
                let run = try Run.sClient(
                    port: server.port, fixture, [flag, option, session], input: frame,
                    until: frame.count)
                #expect(run.output == frame, "\(run.errors)")
                #expect(try server.opened.next().resumed == resumed, "\(flag)")
            }
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func aTicketFromBeforeNewCertificatesMeansAWholeHandshake(flag: String) throws {
        let fixture = try TLSFixture()
        let holder = try fixture.holder()
        let server = try TLSServer(holder)
        let session = "\(fixture.path)/session"
        let frame = framed([1])
        func talk(_ option: String) throws -> Bool {
            let run = try Run.sClient(
                port: server.port, fixture, [flag, option, session], input: frame,
                until: frame.count)
            #expect(run.output == frame, "\(run.errors)")
            return try server.opened.next().resumed
        }
        #expect(try !talk("-sess_out"))
        let issued = try fixture.authority.issue(
            commonName: "node-1", names: ["localhost"], usage: .both, days: 20)
        try issued.write(to: fixture.path)
        // The loop looks as well: whoever sees it second takes it up.
        while holder.reloads == 0 { _ = holder.reloadIfChanged() }
        #expect(try !talk("-sess_in"))
    }

    @Test func onlyEnabledProtocolsAndSuitesAreSpoken() throws {
        let fixture = try TLSFixture()
        var settings = fixture.serverSettings
        settings.cipherSuites = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]
        let old = try TLSServer(try fixture.holder(settings))
        let frame = framed([1])
        _ = try Run.sClient(port: old.port, fixture, input: frame, until: frame.count)
        let info = try old.opened.next()
        #expect(info.version == "TLSv1.2" && info.cipher == "ECDHE-ECDSA-AES256-GCM-SHA384")

        settings.cipherSuites = []
        settings.versions = [.tls13]
        let new = try TLSServer(try fixture.holder(settings))
        _ = try Run.sClient(port: new.port, fixture, ["-tls1_2"], input: frame, until: frame.count)
        guard case .handshakeFailed(let failure) = try new.closed.next() else {
            Issue.record("not a failed handshake")
            return
        }
        #expect(failure.reason == "unsupported protocol")

        settings.versions = [.tls12]
        settings.cipherSuites = ["TLS_AES_128_GCM_SHA256"]
        #expect(throws: NetError.self) { try fixture.holder(settings) }
        settings.cipherSuites = ["NO_SUCH_SUITE"]
        #expect(throws: NetError.self) { try fixture.holder(settings) }
    }

    @Test func manyConnectionsOfTheSameLoopDoNotMixTheirBytes() throws {
        let fixture = try TLSFixture()
        let server = try TLSServer(try fixture.holder())
        let clients = try (0..<20).map { _ in
            try TLSClient(port: server.port, fixture.clientSettings)
        }
        for client in clients { #expect(try client.events.next() == .opened) }
        for round in 0..<10 {
            for (index, client) in clients.enumerated() {
                client.send(framed(pattern(5000 + round, seed: index)))
            }
            for (index, client) in clients.enumerated() {
                #expect(try client.events.next() == .frame(pattern(5000 + round, seed: index)))
            }
        }
    }
}
