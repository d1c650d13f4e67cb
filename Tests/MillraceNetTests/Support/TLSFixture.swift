import Foundation
import MillraceBase
import MillraceNet
import Testing

/// A directory that is removed with the test.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "millrace-net-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ bytes: [UInt8], _ name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        return "\(path)/\(name)"
    }
}

/// An authority with a node's and a client's certificate in files.
struct TLSFixture {
    let directory: TemporaryDirectory
    let authority: CertificateAuthority
    let node: CertificateAuthority.Issued

    var path: String { directory.path }
    var authorityFile: String { "\(path)/ca.crt" }

    init(names: [String] = ["localhost", "127.0.0.1", "::1"]) throws {
        directory = try TemporaryDirectory()
        authority = try CertificateAuthority(commonName: "Test CA", days: 30)
        try authority.write(to: directory.path)
        node = try authority.issue(
            commonName: "node-1", names: names, usage: .both, days: 10)
        try node.write(to: directory.path)
        let client = try authority.issue(
            commonName: "alice", names: [], usage: .client, days: 10)
        try client.write(to: directory.path, name: "client")
    }

    var serverSettings: TLSSettings {
        var settings = TLSSettings()
        settings.certificateChain = .file("\(path)/node.crt")
        settings.key = .file("\(path)/node.key")
        return settings
    }

    var clientSettings: TLSSettings {
        var settings = TLSSettings()
        settings.trusted = .file(authorityFile)
        return settings
    }

    func holder(_ settings: TLSSettings? = nil) throws -> TLSContextHolder {
        try TLSContextHolder(settings ?? serverSettings, role: .server)
    }
}

/// A TLS echo server with what it saw.
final class TLSServer {
    let loop: RunningLoop
    let port: UInt16
    let opened = Events<TLSInfo>()
    let closed = Events<CloseReason>()
    let lines: Events<String>

    init(
        _ holder: TLSContextHolder, _ change: (inout ConnectionSettings) -> Void = { _ in }
    ) throws {
        let log = capturingLog()
        lines = log.lines
        loop = try RunningLoop(log: log.log)
        let socket = try ListeningSocket(name: "SSL", host: "127.0.0.1", port: 0)
        port = socket.address.port
        var settings = ConnectionSettings()
        settings.tls = holder
        change(&settings)
        let (opened, closed) = (opened, closed)
        try loop.listen(on: socket, settings) {
            let handler = TestHandler.echo(closed)
            handler.onOpened = { if let tls = $0.tls { opened.post(tls) } }
            return handler
        }
    }

    deinit { loop.stop() }
}

/// A run of a program of the system: what it was given on standard input, what it said.
struct Run {
    var output: [UInt8] = []
    var errors = ""
    var status: Int32 = 0

    /// - Parameter until: ends the program's input once so many bytes of output have come.
    static func program(
        _ name: String, _ arguments: [String], input: [UInt8] = [], until: Int = 0
    ) throws -> Run {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [name] + arguments
        let (given, said, complained) = (Pipe(), Pipe(), Pipe())
        process.standardInput = given
        process.standardOutput = said
        process.standardError = complained
        try process.run()
        // A program that never ends must not hold the tests.
        let watchdog = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + 30, execute: watchdog)
        defer { watchdog.cancel() }
        if !input.isEmpty { try? given.fileHandleForWriting.write(contentsOf: Data(input)) }
        var run = Run()
        while run.output.count < until {
            let piece = said.fileHandleForReading.availableData
            if piece.isEmpty { break }
            run.output += piece
        }
        try? given.fileHandleForWriting.close()
        run.output += said.fileHandleForReading.readDataToEndOfFile()
        run.errors = String(
            decoding: complained.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        run.status = process.terminationStatus
        return run
    }

    /// OpenSSL's client, as an independent peer.
    static func sClient(
        port: UInt16, _ fixture: TLSFixture, _ more: [String] = [], input: [UInt8] = [],
        until: Int = 0
    ) throws -> Run {
        try program(
            "openssl",
            [
                "s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", fixture.authorityFile,
                "-verify_return_error", "-servername", "localhost", "-quiet", "-no_ign_eof",
            ] + more, input: input, until: until)
    }
}
