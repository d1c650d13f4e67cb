import Foundation

/// `SchemaCompiler SCHEMAS OUTPUT`: one Swift file for each schema file, and the tables.
@main
enum SchemaCompiler {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 3 else { exit(saying: "usage: SchemaCompiler SCHEMAS OUTPUT", 64) }
        do {
            try compile(URL(fileURLWithPath: arguments[1]), to: URL(fileURLWithPath: arguments[2]))
        } catch {
            exit(saying: "SchemaCompiler: \(error)", 1)
        }
    }

    private static func exit(saying text: String, _ status: Int32) -> Never {
        FileHandle.standardError.write(Data((text + "\n").utf8))
        Foundation.exit(status)
    }

    private static func compile(_ schemas: URL, to output: URL) throws {
        let folders = [schemas, schemas.appendingPathComponent("records")]
        let files = try folders.flatMap { folder in
            try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
                .filter { $0.pathExtension == "schema" }
                .sorted { $0.lastPathComponent < $1.lastPathComponent }
        }
        var all: [MessageDefinition] = []
        for file in files {
            var parser = SchemaParser(
                file: file.path, text: try String(contentsOf: file, encoding: .utf8))
            let messages = try parser.parse()
            var emitter = Emitter()
            for message in messages { emitter.emit(message) }
            let name = file.deletingPathExtension().lastPathComponent + ".swift"
            try write(Tables.header + emitter.output, to: output.appendingPathComponent(name))
            all += messages
        }
        try write(Tables.registry(all), to: output.appendingPathComponent("MessageRegistry.swift"))
        try write(
            Tables.apiKeys(try rows(schemas.appendingPathComponent("apis.tsv"))),
            to: output.appendingPathComponent("ApiKey.swift"))
        try write(
            Tables.errorCodes(try rows(schemas.appendingPathComponent("errors.tsv"))),
            to: output.appendingPathComponent("ErrorCode.swift"))
    }

    private static func rows(_ file: URL) throws -> [[Substring]] {
        let text = try String(contentsOf: file, encoding: .utf8)
        return text.split(separator: "\n").dropFirst().map {
            $0.split(separator: "\t", omittingEmptySubsequences: false)
        }
    }

    /// An output that would not change is left alone: a newer time would compile all again.
    private static func write(_ text: String, to file: URL) throws {
        if let old = try? String(contentsOf: file, encoding: .utf8), old == text { return }
        try text.write(to: file, atomically: true, encoding: .utf8)
    }
}
