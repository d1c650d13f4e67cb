import Foundation
import TestSupport
import Testing

/// The commands that need no cluster, as a person calls them.
struct CommandTests {
    private func millrace(
        _ arguments: String..., environment: [String: String] = [:]
    ) async throws -> ProgramResult {
        try await Program.run(Program.millrace, arguments, environment: environment)
    }

    @Test func helpListsEveryCommandAndAVerbsFlags() async throws {
        let all = try await millrace("--help")
        #expect(all.status == 0)
        for noun in ["topic", "produce", "consume", "group", "config", "cluster", "log", "cert"] {
            #expect(all.output.contains("\n  \(noun) "), "\(noun)")
        }
        let create = try await millrace("topic", "create", "--help")
        #expect(create.output.hasPrefix("Create topics\n\nusage: millrace topic create NAME..."))
        #expect(create.output.contains("--partitions N"))
        #expect(create.errors.isEmpty)
    }

    @Test func aSlipOfTheHandIsAnsweredWithTheNearestName() async throws {
        let command = try await millrace("topci", "list")
        #expect(command.status == 64)
        #expect(
            command.errors == "millrace: no command \"topci\": did you mean \"topic\"? "
                + "(millrace --help lists them)\n")
        let flag = try await millrace("topic", "create", "a", "--partition", "3")
        #expect(flag.status == 64)
        #expect(flag.errors.contains("did you mean --partitions?"))
        let verb = try await millrace("topic", "lst")
        #expect(verb.status == 64)
        #expect(verb.errors.contains("did you mean \"list\"?"))
        let choice = try await millrace("topic", "list", "-o", "jsno")
        #expect(choice.status == 64)
        #expect(choice.errors.contains("is none of text, wide, json"))
    }

    @Test func whatIsMissingOrTooMuchIsAnErrorOfUsage() async throws {
        for arguments in [
            ["topic", "create"], ["local", "up"], ["cluster", "describe", "x"],
            ["topic", "create", "a", "--partitions", "none"], ["consume", "a", "-f", "%y"],
            ["consume", "a", "--offset", "someday"], ["produce", "a", "--header", "x"],
            ["local", "up", "--dir", "x", "--nodes", "3"], ["topic", "list", "--cert", "x"], [],
        ] {
            let result = try await Program.run(Program.millrace, arguments)
            #expect(result.status == 64, "\(arguments)")
            #expect(result.output.isEmpty, "\(arguments)")
        }
    }

    @Test func whatIsNotUnderstoodIsToldWithWhatWould() async throws {
        let kind = try await millrace("config", "describe", "topci", "a")
        #expect(kind.status == 64)
        #expect(
            kind.errors == "millrace: \"topci\" is none of topic, broker, group: "
                + "did you mean \"topic\"?\n")
        let file = try await millrace("server", "my.properties")
        #expect(file.status == 64)
        #expect(
            file.errors == "millrace: \"my.properties\" is one argument too many: "
                + "did you mean --config my.properties?\n")
        let help = try await millrace("topic", "help")
        #expect(help.status == 0 && help.errors.isEmpty)
        #expect(try await millrace("help", "topic").output == help.output)
        let nodes = try await millrace("local", "up", "--help")
        #expect(nodes.output.contains("How many nodes: 1, this version has no more"))
    }

    @Test func aClusterThatNobodyServesIsExitCodeThree() async throws {
        let result = try await millrace("-b", "127.0.0.1:1", "topic", "list", "--timeout", "2s")
        #expect(result.status == 3)
        #expect(result.errors.hasPrefix("millrace: 127.0.0.1:1 is not reachable: "))
        #expect(result.errors.filter { $0 == "\n" }.count == 1)
    }

    /// A port that takes connections and never says a word.
    private func withSilentPort(_ body: (UInt16) async throws -> Void) async throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 8) == 0
                    && getsockname(descriptor, $0, &size) == 0
            }
        }
        try #require(bound, "a free port")
        try await body(UInt16(bigEndian: address.sin_port))
    }

    @Test func whoDoesNotAnswerIsExitCodeThreeWithinTheTime() async throws {
        try await withSilentPort { port in
            let silent = try await millrace(
                "-b", "127.0.0.1:\(port)", "group", "list", "--timeout", "1s")
            #expect(silent.status == 3)
            #expect(silent.errors == "millrace: no answer in time: Metadata\n")
            let noTLS = try await millrace(
                "-b", "127.0.0.1:\(port)", "group", "list", "--timeout", "1s", "--tls")
            #expect(noTLS.status == 3)
            #expect(noTLS.errors.hasPrefix("millrace: 127.0.0.1:\(port) is not reachable: conn"))
        }
    }

    @Test func aServerThatIsAwayIsPassedOver() async throws {
        let result = try await millrace(
            "-b", "127.0.0.1:1,127.0.0.1:2", "topic", "list", "--timeout", "5s")
        #expect(result.status == 3)
        #expect(result.errors.hasPrefix("millrace: 127.0.0.1:2 is not reachable: "))
        let wrong = try await millrace("-b", "127.0.0.1:x", "topic", "list")
        #expect(wrong.status == 64 && wrong.errors.contains("'127.0.0.1:x' is no host:port"))
    }

    @Test func manualPagesAreWithoutFaultAndTellOfEveryVerb() async throws {
        let folder = try Program.temporaryFolder("man")
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(try await millrace("docs", "--man", "--dir", folder.path).status == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(
            Set(names).isSuperset(of: ["millrace.1", "millrace-topic.1", "millrace-produce.1"]))
        let groff = URL(fileURLWithPath: "/usr/bin/groff")
        for name in names {
            let page = try await Program.run(
                groff, ["-man", "-Tutf8", "-ww", folder.appending(path: name).path])
            #expect(page.status == 0 && page.errors.isEmpty, "\(name): \(page.errors)")
        }
        let topic = try await Program.run(
            groff, ["-man", "-Tascii", "-P-cbou", folder.appending(path: "millrace-topic.1").path])
        #expect(topic.output.contains("millrace topic create NAME... [flags]"), "\(topic)")
        #expect(topic.output.contains("--partitions N"))
    }

    @Test func resultsThatCannotBeWrittenMakeTheCommandFail() async throws {
        let bash = URL(fileURLWithPath: "/bin/bash")
        let line = "\(Program.millrace.path) --help"
        let full = try await Program.run(bash, ["-c", "\(line) >/dev/full"])
        #expect(full.status == 1)
        #expect(full.errors == "millrace: cannot write the results: No space left on device\n")
        let gone = try await Program.run(bash, ["-c", "\(line) | true"])
        #expect(gone.status == 0 && gone.errors.isEmpty, "a reader that went away is no fault")
    }

    @Test func completionScriptsAreScripts() async throws {
        let folder = try Program.temporaryFolder("completion")
        defer { try? FileManager.default.removeItem(at: folder) }
        for shell in ["bash", "zsh", "fish"] {
            let script = try await millrace("completion", shell)
            #expect(script.status == 0)
            #expect(script.output.contains("reset-offsets"))
            guard shell == "bash" else { continue }
            let file = folder.appending(path: "complete.bash")
            try Data(script.output.utf8).write(to: file)
            let call = """
                source \(file.path); COMP_WORDS=(millrace topic cr); COMP_CWORD=2; _millrace
                echo "${COMPREPLY[@]}"
                """
            let bash = URL(fileURLWithPath: "/bin/bash")
            let checked = try await Program.run(bash, ["-c", call])
            #expect(checked.status == 0, "\(checked.errors)")
            #expect(checked.output == "create\n")
        }
    }

    @Test func profilesAndEnvironmentSayWhereTheClusterIs() async throws {
        let home = try Program.temporaryFolder("home")
        defer { try? FileManager.default.removeItem(at: home) }
        let folder = home.appending(path: "millrace")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data("lab.bootstrap.server=127.0.0.1:3\n".utf8)
            .write(to: folder.appending(path: "profiles.properties"))
        let own = ["XDG_CONFIG_HOME": home.path]
        let profile = try await millrace("--profile", "lab", "topic", "list", environment: own)
        #expect(profile.errors.contains("127.0.0.1:3 is not reachable"))
        let wrong = try await millrace("--profile", "lbb", "topic", "list", environment: own)
        #expect(wrong.status == 64)
        #expect(wrong.errors.contains("did you mean \"lab\"?"))
        let variable = try await millrace(
            "topic", "list", environment: ["MILLRACE_BOOTSTRAP_SERVER": "127.0.0.1:4"])
        #expect(variable.errors.contains("127.0.0.1:4 is not reachable"))
    }

    @Test func aDevelopmentAuthorityIssuesCertificates() async throws {
        let folder = try Program.temporaryFolder("cert")
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.path
        #expect(try await millrace("cert", "ca", "--dir", path).status == 0)
        #expect(try await millrace("cert", "ca", "--dir", path).status == 1)
        let node = try await millrace(
            "cert", "node", "n1", "--dir", path, "--host", "a.example", "-o", "json")
        #expect(node.status == 0)
        #expect(node.output.contains("\"certificate\": \"\(path)/n1.crt\""))
        let shown = try await millrace("cert", "show", "\(path)/n1.crt", "-o", "json")
        #expect(shown.output.contains("\"dns_names\": [\"a.example\"]"))
        #expect(try await millrace("cert", "client", "me", "--dir", path).status == 0)
    }

    @Test func anAuthorityIsNotOverwrittenAndWhatIsNoNameIsRefused() async throws {
        let folder = try Program.temporaryFolder("cert")
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.path
        let nameless = try await millrace("cert", "ca", "--dir", "\(path)/x", "--name", "")
        #expect(nameless.status == 64)
        #expect(nameless.errors == "millrace: --name \"\" is no common name\n")
        #expect(!FileManager.default.fileExists(atPath: "\(path)/x"))
        #expect(try await millrace("cert", "ca", "--dir", path).status == 0)
        let key = try Data(contentsOf: folder.appending(path: "ca.key"))
        for kind in ["node", "client"] {
            let own = try await millrace("cert", kind, "ca", "--dir", path)
            #expect(own.status == 64)
            #expect(
                own.errors == "millrace: \"ca\" names the authority's files: say another name\n")
        }
        #expect(try Data(contentsOf: folder.appending(path: "ca.key")) == key)
        for host in ["", "a b"] {
            let wrong = try await millrace("cert", "node", "n", "--dir", path, "--host", host)
            #expect(wrong.status == 64)
            #expect(
                wrong.errors == "millrace: --host \"\(host)\" is neither a host name nor an "
                    + "address\n")
        }
        let none = try await millrace("cert", "show", "\(path)/ca.key")
        #expect(none.status == 1 && none.output.isEmpty)
        #expect(none.errors == "millrace: \(path)/ca.key holds no certificate\n")
    }
}
