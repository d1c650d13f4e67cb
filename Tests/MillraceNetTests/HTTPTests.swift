import MillraceBase
import MillraceNet
import Testing

@Suite struct HTTPTests {
    private func exchange(_ port: UInt16, _ request: String) throws -> String {
        let client = try TestSocket(port: port)
        try client.send(Array(request.utf8))
        return String(decoding: client.receiveAll(), as: UTF8.self)
    }

    private func server(bodyBytesMax: Int = 1000) throws -> HTTPServer {
        try HTTPServer(host: "127.0.0.1", port: 0, bodyBytesMax: bodyBytesMax) { request in
            let query = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: ";")
            var response = HTTPResponse(
                status: request.path == "/missing" ? 404 : 200,
                text: "\(request.method) \(request.path) [\(query)] \(request.body.count)")
            response.headers = [(name: "X-Test", value: "1")]
            return response
        }
    }

    @Test func requestsReachTheHandler() throws {
        let server = try server()
        defer { server.stop() }
        let answer = try exchange(
            server.port,
            "GET /a%20b/c?x=1&verbose&y=%2Fz+q HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(answer.hasSuffix("\r\n\r\nGET /a b/c [x=1;verbose=;y=/z q] 0"))
        #expect(answer.contains("Content-Type: text/plain; charset=utf-8\r\n"))
        #expect(answer.contains("X-Test: 1\r\n"))
        let missing = try exchange(
            server.port, "GET /missing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(missing.hasPrefix("HTTP/1.1 404 "))
        let posted = try exchange(
            server.port,
            "POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
        #expect(posted.hasSuffix("POST /p [] 5"))
        let head = try exchange(
            server.port, "HEAD /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 200 ") && head.hasSuffix("\r\n\r\n"))
    }

    @Test func bodiesAndHeadersAreBounded() throws {
        let server = try server()
        defer { server.stop() }
        let large = try exchange(
            server.port,
            "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n")
        #expect(large.hasPrefix("HTTP/1.1 413 "))
        let client = try TestSocket(port: server.port)
        // The server closes in the middle of it.
        try? client.send(
            Array("GET / HTTP/1.1\r\nX: \(String(repeating: "a", count: 30_000))\r\n\r\n".utf8))
        let answer = String(decoding: client.receiveAll(), as: UTF8.self)
        #expect(!answer.hasPrefix("HTTP/1.1 200"))
        // And goes on.
        let next = try exchange(
            server.port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(next.hasPrefix("HTTP/1.1 200 "))
    }

    @Test func aPortInUseIsATypedErrorAndAStoppedServerFreesIt() throws {
        let first = try server()
        let port = first.port
        #expect(throws: NetError.addressInUse("127.0.0.1:\(port)")) {
            try HTTPServer(host: "127.0.0.1", port: port) { _ in HTTPResponse(text: "") }
        }
        first.stop()
        first.stop()
        let second = try HTTPServer(host: "127.0.0.1", port: port) { _ in HTTPResponse(text: "") }
        second.stop()
    }

    @Test func itSpeaksTLSWithCertificatesThatMayBeExchanged() throws {
        let fixture = try TLSFixture()
        let holder = try fixture.holder()
        let server = try HTTPServer(host: "127.0.0.1", port: 0, tls: holder) { request in
            HTTPResponse(text: "over TLS: \(request.path)")
        }
        defer { server.stop() }
        for round in 0..<3 {
            let run = try Run.program(
                "openssl",
                [
                    "s_client", "-connect", "127.0.0.1:\(server.port)", "-CAfile",
                    fixture.authorityFile, "-verify_return_error", "-quiet",
                ],
                input: Array("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8),
                until: 1)
            #expect(
                String(decoding: run.output, as: UTF8.self).hasSuffix("over TLS: /x"),
                "\(round): \(run.errors)")
            let issued = try fixture.authority.issue(
                commonName: "next", names: ["localhost"], usage: .server, days: 5)
            try issued.write(to: fixture.path)
            _ = holder.reloadIfChanged()
            #expect(holder.reloadIfChanged() == .reloaded)
        }
    }

    @Test func manyClientsAreServedAtOnce() throws {
        let server = try server()
        defer { server.stop() }
        let clients = try (0..<50).map { _ in try TestSocket(port: server.port) }
        for client in clients {
            try client.send(Array("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8))
        }
        for client in clients {
            #expect(String(decoding: client.receiveAll(), as: UTF8.self).hasSuffix("GET / [] 0"))
        }
    }
}
