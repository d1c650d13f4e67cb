import Foundation
import PackagePlugin

/// Runs the schema compiler over the target's schemas.
@main
struct SchemaPlugin: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let schemas = target.directoryURL.appendingPathComponent("Schemas")
        let output = context.pluginWorkDirectoryURL
        var inputs: [URL] = []
        for folder in [schemas, schemas.appendingPathComponent("records")] {
            inputs += try FileManager.default.contentsOfDirectory(
                at: folder, includingPropertiesForKeys: nil
            ).filter { $0.pathExtension == "schema" || $0.pathExtension == "tsv" }
        }
        inputs.sort { $0.path < $1.path }
        let names =
            inputs.filter { $0.pathExtension == "schema" }.map {
                $0.deletingPathExtension().lastPathComponent
            } + ["MessageRegistry", "ApiKey", "ErrorCode"]
        return [
            .buildCommand(
                displayName: "Compiling schemas",
                executable: try context.tool(named: "SchemaCompiler").url,
                arguments: [schemas.path, output.path],
                inputFiles: inputs,
                outputFiles: names.map { output.appendingPathComponent($0 + ".swift") })
        ]
    }
}
