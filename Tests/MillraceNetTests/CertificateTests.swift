import Foundation
import MillraceBase
import MillraceNet
import Testing

@Suite struct CertificateTests {
    private func message(_ body: () throws(NetError) -> Void) -> String {
        do {
            try body()
            return "no error"
        } catch { return "\(error)" }
    }

    @Test func issuedCertificatesHoldWhatWasAskedFor() throws {
        let fixture = try TLSFixture(names: ["a.example", "*.b.example", "10.0.0.1", "::1"])
        let chain = try CertificateDescription.read(path: "\(fixture.path)/node.crt")
        #expect(chain.count == 2)
        let leaf = chain[0]
        #expect(leaf.subject == "CN=node-1" && leaf.issuer == "CN=Test CA")
        #expect(leaf.dnsNames == ["a.example", "*.b.example"])
        #expect(leaf.ipAddresses == ["10.0.0.1", "::1"])
        #expect(!leaf.isAuthority && chain[1].isAuthority)
        #expect(leaf.keyAlgorithm == "EC 256")
        #expect(leaf.serialNumber.count == 32)
        #expect(leaf.notAfter - leaf.notBefore == 10 * 86400 + 3600)
        #expect(leaf.validUntil.hasSuffix("Z") && leaf.validUntil.count == 20)
    }

    @Test func opensslAcceptsWhatWeIssue() throws {
        let fixture = try TLSFixture()
        for purpose in ["sslserver", "sslclient"] {
            let run = try Run.program(
                "openssl",
                [
                    "verify", "-x509_strict", "-purpose", purpose, "-CAfile",
                    fixture.authorityFile, "\(fixture.path)/node.crt",
                ])
            #expect(run.status == 0, "\(run.errors)")
        }
        let text = try Run.program(
            "openssl", ["x509", "-noout", "-text", "-in", "\(fixture.path)/node.crt"])
        let shown = String(decoding: text.output, as: UTF8.self)
        #expect(shown.contains("DNS:localhost, IP Address:127.0.0.1"))
    }

    @Test func keysAreReadableByTheirOwnerOnly() throws {
        let fixture = try TLSFixture()
        for name in ["ca.key", "node.key"] {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: "\(fixture.path)/\(name)")
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
        let text = try String(contentsOfFile: "\(fixture.path)/node.key", encoding: .utf8)
        #expect(text.hasPrefix("-----BEGIN PRIVATE KEY-----"))
    }

    @Test func anAuthorityIsReadAgainAndNeverOverwritten() throws {
        let fixture = try TLSFixture()
        #expect(
            message { () throws(NetError) in try fixture.authority.write(to: fixture.path) }
                .contains("is there already"))
        let again = try CertificateAuthority(directory: fixture.path)
        #expect(again.certificate == fixture.authority.certificate)
        let issued = try again.issue(commonName: "n", names: ["n"], usage: .server, days: 1)
        try issued.write(to: fixture.path, name: "other")
        let run = try Run.program(
            "openssl",
            ["verify", "-CAfile", fixture.authorityFile, "\(fixture.path)/other.crt"])
        #expect(run.status == 0)
    }

    @Test func namesWithAMeaningOfTheirOwnAreRefused() throws {
        let fixture = try TLSFixture()
        for name in ["a,DNS:b", "", "a b", "email:x"] {
            #expect(throws: NetError.self) {
                try fixture.authority.issue(
                    commonName: "n", names: [name], usage: .server, days: 1)
            }
        }
    }

    @Test func namesThatACertificateLacksAreFound() throws {
        let fixture = try TLSFixture(
            names: ["Kafka.example", "*.pool.example", "10.0.0.1", "2001:db8::1"])
        let certificate = try CertificateDescription.read(pem: fixture.node.certificateChain)[0]
        let names = [
            "kafka.example", "x.pool.example", "10.0.0.1", "2001:db8:0::1", "pool.example",
            "y.x.pool.example", "10.0.0.2", "node-1",
        ]
        #expect(
            certificate.namesNotCovered(of: names) == [
                "pool.example", "y.x.pool.example", "10.0.0.2", "node-1",
            ])
    }

    @Test func whatIsWrongWithTLSFilesIsSaidInOneSentence() throws {
        let fixture = try TLSFixture()
        let now = Int64(Date().timeIntervalSince1970)
        func refusal(_ change: (inout TLSSettings) throws -> Void) rethrows -> String {
            var settings = fixture.serverSettings
            try change(&settings)
            return message { () throws(NetError) in _ = try fixture.holder2(settings) }
        }
        try fixture.authority.issue(
            commonName: "old", names: ["a"], usage: .server, notBefore: now - 7200,
            notAfter: now - 3600
        ).write(to: fixture.path, name: "old")
        try fixture.authority.issue(
            commonName: "new", names: ["a"], usage: .server, notBefore: now + 3600,
            notAfter: now + 7200
        ).write(to: fixture.path, name: "new")
        for (name, word) in [("old", "expired at"), ("new", "is not valid before")] {
            let text = refusal {
                $0.certificateChain = .file("\(fixture.path)/\(name).crt")
                $0.key = .file("\(fixture.path)/\(name).key")
            }
            #expect(text.contains(word) && text.contains("CN=\(name)"), "\(text)")
        }
        #expect(
            refusal { $0.key = .file("\(fixture.path)/client.key") }.contains("does not belong"))
        #expect(
            refusal { $0.certificateChain = .file("\(fixture.path)/none.crt") }
                .contains("none.crt: No such file"))
        let rubbish = try fixture.directory.write(Array("hello".utf8), "rubbish")
        #expect(
            refusal { $0.certificateChain = .file(rubbish) }.contains("holds no certificate"))
        #expect(refusal { $0.key = .file(rubbish) }.contains("holds no private key"))
        let cut = try fixture.directory.write(
            Array(
                "-----BEGIN CERTIFICATE-----\nMIIBszCC\n-----END CERTIFICATE-----\n".utf8), "cut")
        #expect(refusal { $0.certificateChain = .file(cut) }.contains("cannot be read"))
        #expect(refusal { $0.clientAuth = .required }.contains("needs a trust store"))
        #expect(refusal { $0.certificateChain = nil }.contains("TLS needs a certificate"))
    }

    @Test func keysMayBeEncrypted() throws {
        let fixture = try TLSFixture()
        let path = "\(fixture.path)/encrypted.key"
        let run = try Run.program(
            "openssl",
            [
                "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:secret", "-in",
                "\(fixture.path)/node.key", "-out", path,
            ])
        #expect(run.status == 0)
        var settings = fixture.serverSettings
        settings.key = .file(path)
        #expect(
            message { () throws(NetError) in _ = try fixture.holder2(settings) }
                .contains("set ssl.key.password"))
        settings.keyPassword = "wrong"
        #expect(
            message { () throws(NetError) in _ = try fixture.holder2(settings) }
                .contains("does not open"))
        settings.keyPassword = "secret"
        _ = try fixture.holder(settings)
    }

    @Test func pemMayStandInOneFileOrInOneLine() throws {
        let fixture = try TLSFixture()
        let key = String(decoding: fixture.node.key, as: UTF8.self)
        let chain = String(decoding: fixture.node.certificateChain, as: UTF8.self)
        // Kafka's ssl.keystore.location: key and chain in one file.
        let both = try fixture.directory.write(Array((key + chain).utf8), "both.pem")
        var settings = TLSSettings()
        settings.certificateChain = .file(both)
        settings.key = .file(both)
        _ = try fixture.holder(settings)
        // ssl.keystore.key and ssl.keystore.certificate.chain as a properties file may break them.
        settings.key = .inline(key.replacingOccurrences(of: "\n", with: " "))
        settings.certificateChain = .inline(chain.replacingOccurrences(of: "\n", with: " "))
        let server = try TLSServer(try fixture.holder(settings))
        let client = try TLSClient(port: server.port, fixture.clientSettings)
        #expect(try client.events.next() == .opened)
    }

    @Test func changedFilesAreTakenUpForNewConnections() throws {
        let fixture = try TLSFixture()
        let holder = try fixture.holder()
        let server = try TLSServer(holder)
        let old = try TLSClient(port: server.port, fixture.clientSettings)
        #expect(try old.events.next() == .opened)
        let before = holder.certificateExpiry

        // A broken certificate leaves the old one in force, and is told once.
        _ = try fixture.directory.write(Array("broken".utf8), "node.crt")
        #expect(holder.reloadIfChanged() == .unchanged)
        guard case .failed = holder.reloadIfChanged() else {
            Issue.record("a broken file was taken up")
            return
        }
        #expect(holder.reloadIfChanged() == .unchanged)
        let meanwhile = try TLSClient(port: server.port, fixture.clientSettings)
        #expect(try meanwhile.events.next() == .opened)
        #expect(holder.certificateExpiry == before)

        let issued = try fixture.authority.issue(
            commonName: "node-1", names: ["localhost"], usage: .both, days: 20)
        try issued.write(to: fixture.path)
        // The loop looks once a second; it says so in its log.
        var line = try server.lines.next()
        while !line.contains("taken up from changed files") { line = try server.lines.next() }
        #expect(holder.reloads == 1)
        #expect(holder.certificateExpiry ?? 0 > (before ?? 0) + 8 * 86400)
        let new = try TLSClient(port: server.port, fixture.clientSettings)
        #expect(try new.events.next() == .opened)
        old.send(framed([1]))
        #expect(try old.events.next() == .frame([1]))
    }

    @Test func otherSettingsHoldForNewConnectionsAndBadOnesDoNot() throws {
        let fixture = try TLSFixture()
        let other = try TLSFixture()
        let holder = try fixture.holder()
        let server = try TLSServer(holder)
        let old = try TLSClient(port: server.port, fixture.clientSettings)
        #expect(try old.events.next() == .opened)
        #expect(try !holder.replace(fixture.serverSettings))
        var missing = fixture.serverSettings
        missing.certificateChain = .file("\(fixture.path)/none.crt")
        #expect(throws: NetError.self) { try holder.replace(missing) }
        let meanwhile = try TLSClient(port: server.port, fixture.clientSettings)
        #expect(try meanwhile.events.next() == .opened)
        #expect(try holder.replace(other.serverSettings))
        #expect(holder.reloadIfChanged() == .unchanged && holder.reloadIfChanged() == .unchanged)
        let new = try TLSClient(port: server.port, other.clientSettings)
        #expect(try new.events.next() == .opened)
        old.send(framed([1]))
        #expect(try old.events.next() == .frame([1]))
    }

    @Test func eachChangeIsTakenUpOverManyRounds() throws {
        let fixture = try TLSFixture()
        let holder = try fixture.holder()
        for round in 1...20 {
            let issued = try fixture.authority.issue(
                commonName: "round-\(round)", names: ["localhost"], usage: .server, days: 5)
            try issued.write(to: fixture.path)
            #expect(holder.reloadIfChanged() == .unchanged)
            #expect(holder.reloadIfChanged() == .reloaded)
            #expect(holder.current.certificate?.subject == "CN=round-\(round)")
        }
    }
}

extension TLSFixture {
    /// With the error's type.
    func holder2(_ settings: TLSSettings) throws(NetError) -> TLSContextHolder {
        try TLSContextHolder(settings, role: .server)
    }
}
