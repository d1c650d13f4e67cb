import Foundation
import Testing

/// The rules of docs/architecture.md that a machine can check.
struct TidyTests {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The project's Swift files below `folder`, as paths from the root with their lines.
    static func files(in folder: String) throws -> [(path: String, lines: [Substring])] {
        let base = root.appending(path: folder)
        let paths = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String }
        return try (paths ?? []).filter { $0.hasSuffix(".swift") }.sorted().map { path in
            let text = try String(contentsOf: base.appending(path: path), encoding: .utf8)
            return (
                "\(folder)/\(path)", text.split(separator: "\n", omittingEmptySubsequences: false)
            )
        }
    }

    /// Target → what Package.swift lets it import, in the order of declaration.
    static func declaredTargets() throws -> [(name: String, dependencies: Set<String>)] {
        let text = try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
        let body = text[(text.range(of: "targets: [\n")?.upperBound ?? text.startIndex)...]
        let pattern = /(?:library\(|tests\(|name:)\s*"(\w+)"((?:[^()]|\((?:[^()])*\))*)/
        return body.matches(of: pattern).map { match in
            let names = match.output.2.matches(of: /"(\w+)"/).map { String($0.output.1) }
            return (String(match.output.1), Set(names))
        }
    }

    @Test func aTargetImportsOnlyTargetsListedBeforeItAndOnlyThoseOfItsRow() throws {
        let targets = try Self.declaredTargets()
        let names = targets.map(\.name)
        #expect(
            names.contains("Storage") && names.contains("CLI"), "Package.swift was not understood")
        for (index, target) in targets.enumerated() where !target.name.hasSuffix("Tests") {
            let earlier = Set(names[..<index])
            let later = target.dependencies.intersection(names).subtracting(earlier)
            #expect(later.isEmpty, "\(target.name) depends on what is listed after it: \(later)")
            for file in try Self.files(in: "Sources/\(target.name)") {
                for line in file.lines {
                    guard
                        let match = line.firstMatch(
                            of: /^\s*(?:\w+ )?import (?:struct |enum )?(\w+)/)
                    else { continue }
                    let imported = String(match.output.1)
                    guard names.contains(imported) else { continue }
                    #expect(
                        target.dependencies.contains(imported) || imported == "MillraceBase",
                        "\(file.path) imports \(imported), which Package.swift does not give it")
                }
            }
        }
    }

    @Test func onlyToolsImportFoundation() throws {
        let allowed: Set = ["CLI", "SchemaCompiler", "SchemaPlugin"]
        for file in try Self.files(in: "Sources") {
            let target = file.path.split(separator: "/").dropFirst().first.map(String.init) ?? ""
            guard !allowed.contains(target) else { continue }
            #expect(
                !file.lines.contains { $0.contains(/^\s*(\w+ )?import Foundation/) },
                "\(file.path) imports Foundation")
        }
    }

    @Test func filesFunctionsAndLinesStayShort() throws {
        for file in try Self.files(in: "Sources") + Self.files(in: "Tests") {
            #expect(
                file.lines.count <= 801, "\(file.path) has \(file.lines.count) lines; at most 800")
            var start: (line: Int, indent: Int)?
            for (number, line) in file.lines.enumerated() {
                let exempt = line.contains("\"\"\"") || line.contains("https://")
                #expect(
                    line.count <= 100 || exempt || isLongLiteral(line),
                    "\(file.path):\(number + 1) has \(line.count) columns; at most 100")
                let indent = line.prefix { $0 == " " }.count
                if let opened = start {
                    let closes = line.dropFirst(indent).hasPrefix("}") && indent == opened.indent
                    guard closes else { continue }
                    let length = number - opened.line + 1
                    #expect(
                        length <= 70, "\(file.path):\(opened.line + 1): \(length) lines; at most 70"
                    )
                    start = nil
                } else if line.contains(/^\s*[\w@() ]*\b(func|init)\b.*[{(,]$/) {
                    start = (number, indent)
                }
            }
        }
    }

    private func isLongLiteral(_ line: Substring) -> Bool {
        // A text that cannot be broken, such as recorded bytes.
        line.contains(/^\s*[+("]*[^" ]{80,}[",)]*$/)
    }

    @Test func nothingTrapsOnOutsideInputAndNothingIsLeftUndone() throws {
        for file in try Self.files(in: "Sources") {
            for (number, line) in file.lines.enumerated() {
                let code = line.split(separator: "//", maxSplits: 1).first.map(String.init) ?? ""
                let place = "\(file.path):\(number + 1)"
                #expect(!code.contains("try!") && !code.contains("as!"), "\(place) may trap")
                #expect(
                    !code.contains("fatalError(") || file.path.hasPrefix("Sources/CLI"),
                    "\(place): fatalError")
                #expect(
                    !line.contains(/\b(TODO|FIXME|XXX|HACK)\b/), "\(place): undone work is an issue"
                )
                #expect(
                    !code.contains("@unchecked Sendable")
                        || file.path.hasPrefix("Sources/MillraceNet"),
                    "\(place): @unchecked Sendable outside MillraceNet")
            }
        }
    }

    /// What they do is to follow from their inputs and a seed alone (docs/decisions/002).
    @Test func coresReadNoClockAndDrawFromNoGeneratorOfTheSystem() throws {
        let cores = [
            "Raft", "Metadata", "Replication", "Coordinators", "MillraceClientCore", "Broker",
            "Storage", "MillraceRecords",
        ]
        let forbidden = /SystemRandomNumberGenerator|clock_gettime|\btime\(nil|ContinuousClock/
        let bare = /\.random\(in: [^,]*\)|\.shuffled\(\)|\.randomElement\(\)/
        for file in try cores.flatMap({ try Self.files(in: "Sources/\($0)") }) {
            for (number, line) in file.lines.enumerated() {
                #expect(
                    !line.contains(forbidden) && !line.contains(bare),
                    "\(file.path):\(number + 1) asks the system for a time or a number")
            }
        }
    }

    @Test func everyTypeSaysWhatItIs() throws {
        let modifier = "(?:package|public|internal|fileprivate|private|final|indirect|@\\w+)"
        let declaration = try Regex("^(?:\(modifier) )*(?:struct|class|enum|protocol|actor) \\w+")
        for file in try Self.files(in: "Sources") {
            for (number, line) in file.lines.enumerated() {
                guard let match = line.firstMatch(of: declaration) else { continue }
                let above = file.lines[..<number].last { !$0.hasPrefix("@") } ?? ""
                #expect(
                    above.hasPrefix("///"),
                    "\(file.path):\(number + 1): \(line[match.range]) has no doc comment")
            }
        }
    }

    @Test func nothingNamesAMachine() throws {
        for folder in ["Sources", "Tests", "docs", "deploy", "Benchmarks"] {
            let base = Self.root.appending(path: folder)
            let paths = FileManager.default.enumerator(atPath: base.path)?.compactMap {
                $0 as? String
            }
            for path in paths ?? [] where path.contains(/\.(swift|md|py|sh|c|h|java|properties)$/) {
                guard
                    let text = try? String(contentsOf: base.appending(path: path), encoding: .utf8)
                else { continue }  // a recording need not be text
                let found = text.firstMatch(
                    of: /(?:^|[\s"'(=])\/(?:work|root|home)\/|\.\.\/shared\b/)
                #expect(
                    found == nil || path.hasSuffix("TidyTests.swift"),
                    "\(folder)/\(path) names a machine's path")
            }
        }
    }
}
