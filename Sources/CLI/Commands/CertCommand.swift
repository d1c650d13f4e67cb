internal import MillraceNet

/// `millrace cert`: a development authority, its certificates, and what stands in a certificate.
enum CertCommand {
    static let all: [Command] = [
        Command(
            path: ["cert", "ca"], summary: "Make a development certificate authority",
            details:
                "Writes ca.crt and ca.key (0600). An authority that is there is never replaced.",
            flags: [
                directory("Where ca.crt and ca.key are written"),
                Flag("name", .text("NAME"), "Common name (default: Millrace development CA)"),
                days(3650),
            ], run: makeAuthority),
        Command(
            path: ["cert", "node"], summary: "Issue a certificate for a node",
            details: "Writes NAME.crt (whole chain) and NAME.key (0600), signed by DIR/ca.crt.",
            arguments: [Argument("name", "Name of the node, which names the files too")],
            flags: [
                directory("Where ca.crt and ca.key are, and the files are written"),
                Flag(
                    "host", .text("NAME|ADDRESS"), repeated: true,
                    "Name or address of a listener (default: localhost, 127.0.0.1, ::1)"),
                days(825), notBefore,
            ], run: issueNode),
        Command(
            path: ["cert", "client"], summary: "Issue a certificate for a client",
            details: "Writes NAME.crt and NAME.key (0600). The subject is CN=NAME.",
            arguments: [Argument("name", "Common name of the client, which names the files too")],
            flags: [
                directory("Where ca.crt and ca.key are, and the files are written"), days(825),
                notBefore,
            ], run: issueClient),
        Command(
            path: ["cert", "show"], summary: "Show the certificates of a file",
            arguments: [Argument("file", "Certificates in PEM")], run: show),
    ]

    private static func directory(_ doc: String) -> Flag {
        Flag("dir", .directory, required: true, doc)
    }

    /// For tests: a certificate that has expired, or is not valid yet.
    private static let notBefore = Flag(
        "not-before", .integer(-36500...36500),
        "Days from now when it begins to be valid, -N for the past (default: an hour ago)")

    private static func days(_ standard: Int) -> Flag {
        Flag("days", .integer(1...36500), "How long it is valid (default \(standard))")
    }

    private static func makeAuthority(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let directory = invocation.text("dir") ?? "."
        guard invocation.text("name") != "" else {
            throw .usage("--name \"\" is no common name")
        }
        try LocalCommand.makeDirectory(directory)
        try tls { () throws(NetError) in
            let authority = try CertificateAuthority(
                commonName: invocation.text("name") ?? "Millrace development CA",
                days: invocation.integer("days") ?? 3650)
            try authority.write(to: directory)
        }
        let certificate = "\(directory)/\(CertificateAuthority.certificateFile)"
        let key = "\(directory)/\(CertificateAuthority.keyFile)"
        invocation.report(
            "Wrote \(certificate) and \(key).",
            json: .object([("ca", .text(certificate)), ("key", .text(key))]))
        return .done
    }

    private static func issueNode(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let hosts = invocation.all("host")
        if let wrong = hosts.first(where: { !CertificateAuthority.isHost($0) }) {
            throw .usage("--host \"\(wrong)\" is neither a host name nor an address")
        }
        return try issue(
            invocation, names: hosts.isEmpty ? ["localhost", "127.0.0.1", "::1"] : hosts,
            usage: .both)
    }

    private static func issueClient(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        try issue(invocation, names: [], usage: .client)
    }

    private static func issue(
        _ invocation: Invocation, names: [String], usage: CertificateAuthority.Usage
    ) throws(CLIError) -> ExitCode {
        let directory = invocation.text("dir") ?? "."
        let name = invocation.argument(0) ?? ""
        guard !name.isEmpty, !name.contains("/"), !name.hasPrefix(".") else {
            throw .usage("\"\(name)\" cannot be the name of a file")
        }
        guard "\(name).crt" != CertificateAuthority.certificateFile else {
            throw .usage("\"\(name)\" names the authority's files: say another name")
        }
        try tls { () throws(NetError) in
            let authority = try CertificateAuthority(directory: directory)
            let issued = try authority.issue(
                commonName: name, names: names, usage: usage,
                days: invocation.integer("days") ?? 825, from: invocation.integer("not-before"))
            try issued.write(to: directory, name: name)
        }
        let (certificate, key) = ("\(directory)/\(name).crt", "\(directory)/\(name).key")
        invocation.report(
            "Wrote \(certificate) and \(key).",
            json: .object([
                ("certificate", .text(certificate)), ("key", .text(key)),
                ("ca", .text("\(directory)/\(CertificateAuthority.certificateFile)")),
            ]))
        return .done
    }

    private static func show(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let path = invocation.argument(0) ?? ""
        var found: [CertificateDescription] = []
        try tls { () throws(NetError) in found = try CertificateDescription.read(path: path) }
        guard !found.isEmpty else { throw CLIError("\(path) holds no certificate") }
        invocation.show(
            Listing(
                columns: [
                    Column("SUBJECT"), Column("ISSUER", wide: true), Column("NAMES"),
                    Column("VALID UNTIL"), Column("CA", wide: true), Column("KEY", wide: true),
                    Column("SERIAL", wide: true),
                ],
                rows: found.map {
                    [
                        $0.subject, $0.issuer,
                        ($0.dnsNames + $0.ipAddresses).joined(separator: ","),
                        $0.validUntil, $0.isAuthority ? "yes" : "no", $0.keyAlgorithm,
                        $0.serialNumber,
                    ]
                }, json: .list(found.map(json))))
        return .done
    }

    private static func json(_ certificate: CertificateDescription) -> JSONValue {
        .object([
            ("subject", .text(certificate.subject)), ("issuer", .text(certificate.issuer)),
            ("dns_names", .list(certificate.dnsNames.map { .text($0) })),
            ("ip_addresses", .list(certificate.ipAddresses.map { .text($0) })),
            ("valid_from", .text(certificate.validFrom)),
            ("valid_until", .text(certificate.validUntil)),
            ("is_ca", .boolean(certificate.isAuthority)),
            ("key_algorithm", .text(certificate.keyAlgorithm)),
            ("serial_number", .text(certificate.serialNumber)),
        ])
    }

    private static func tls(_ body: () throws(NetError) -> Void) throws(CLIError) {
        do throws(NetError) { try body() } catch { throw CLIError(error.description) }
    }
}
