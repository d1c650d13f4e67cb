/// `docs/reference/` of the settings, made from the tables, so that it cannot differ from them.
package enum ConfigReference {
    /// The pages: file name and Markdown.
    package static func pages() -> [(name: String, text: String)] {
        [("server-properties.md", serverProperties()), ("topic-settings.md", topicSettings())]
    }

    static func serverProperties() -> String {
        let own = ConfigTable.broker.keys.filter { $0.name.hasPrefix("millrace.") }
        let used = ConfigTable.broker.keys.filter {
            $0.documentation != nil && !$0.name.hasPrefix("millrace.")
        }
        let unused = ConfigTable.broker.keys.filter { $0.documentation == nil }
        var text = """
            # server.properties

            Generated from the node's own tables by `make docs`; do not edit.

            The file has Kafka's format and names. The environment stands above the file
            (`MILLRACE_` and the key in capitals, `_` for `.`), `--override key=value` above both.
            `listener.name.NAME.` before a key sets it for one listener. An unknown key is refused
            with its line and the nearest name. *Dynamic*: `cluster-wide` and `per-broker` settings
            can be changed while the node runs (`millrace config`, IncrementalAlterConfigs).

            ## Our own


            """
        text += table(own.sorted { $0.name < $1.name })
        text += "\n## Kafka's, used by this version\n\n"
        text += table(used.sorted { $0.name < $1.name })
        text += "\n## Kafka's, accepted but not used by this version\n\n"
        text += "They are read and checked, and named in one warning at the start.\n\n"
        text += unused.map { "`\($0.name)`" }.sorted().joined(separator: ", ")
        return text + "\n"
    }

    static func topicSettings() -> String {
        var text = """
            # Settings of topics and groups

            Generated from the node's own tables by `make docs`; do not edit.

            ## Topics

            Where a topic does not set one, the broker's setting in the last column gives it.

            | name | type | default | valid | broker's setting | what |
            | --- | --- | --- | --- | --- | --- |

            """
        for key in ConfigTable.topic.keys.sorted(by: { $0.name < $1.name }) where !key.isInternal {
            let from = key.brokerKeys.map { "`\($0.name)`" }.joined(separator: ", ")
            text += "| `\(key.name)` | \(key.type) | \(shown(key.defaultValue)) | "
            text += "\(cell(key.valid)) | \(from) | \(cell(key.shownDocumentation)) |\n"
        }
        text += "\n## Groups\n\nStored and shown; the group kinds that use them come later.\n\n"
        text += "| name | type | default | valid | broker's setting |\n"
        text += "| --- | --- | --- | --- | --- |\n"
        for key in ConfigTable.group.keys.sorted(by: { $0.name < $1.name }) {
            let from = key.brokerKeys.map { "`\($0.name)`" }.joined(separator: ", ")
            text += "| `\(key.name)` | \(key.type) | \(shown(key.defaultValue)) | "
            text += "\(cell(key.valid)) | \(from) |\n"
        }
        return text
    }

    private static func table(_ keys: [ConfigKey]) -> String {
        var text = "| name | type | default | valid | dynamic | what |\n"
        text += "| --- | --- | --- | --- | --- | --- |\n"
        for key in keys where !key.isInternal || key.documentation != nil {
            let value = key.isRequired && key.name == "node.id" ? "(required)" : nil
            text += "| `\(key.name)` | \(key.type) | \(value ?? shown(key.defaultValue)) | "
            text += "\(cell(key.valid)) | \(key.mutability.rawValue) | "
            text += "\(cell(key.shownDocumentation)) |\n"
        }
        return text
    }

    private static func shown(_ value: String?) -> String {
        guard let value else { return "" }
        return value.isEmpty ? "(empty)" : "`\(value)`"
    }

    private static func cell(_ text: String) -> String {
        text == "-" ? "" : String(text.flatMap { $0 == "|" ? "\\|" : "\($0)" })
    }
}
