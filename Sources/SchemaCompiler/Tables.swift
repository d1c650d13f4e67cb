/// Writes what is not a message: the list of all messages, API keys, error codes.
enum Tables {
    static let header = """
        // Generated from the schema files: change those.
        package import MillraceBase


        """

    static func registry(_ messages: [MessageDefinition]) -> String {
        let rows = messages.map { "        \(Names.message($0)).self," }.joined(separator: "\n")
        return """
            // Generated from the schema files: change those.

            /// All messages, for what goes over them by name: tests, fuzzing, dumps.
            package enum MessageRegistry {
                package static let all: [any Message.Type] = [
            \(rows)
                ]
            }

            """
    }

    /// - Parameter rows: of apis.tsv: key, name, versions, flexible, lowest in Kafka 4, broker's
    /// range, …
    static func apiKeys(_ rows: [[Substring]]) -> String {
        var cases = ""
        var names = ""
        var served = ""
        var schemas = ""
        for row in rows {
            schemas += "        case .\(Names.property(String(row[1]))): \(row[1])Request.schema\n"
            let name = Names.property(String(row[1]))
            cases += "    case \(name) = \(row[0])\n"
            names += "        case .\(name): \"\(row[1])\"\n"
            let range = row[5].split(separator: "-")
            if range.count == 2 { served += "        case .\(name): \(range[0])...\(range[1])\n" }
        }
        return """
            // Generated from apis.tsv: change that.

            /// The protocol's APIs by key.
            package enum ApiKey: Int16, CaseIterable, Hashable, Sendable {
            \(cases)
                /// The protocol's name.
                package var name: String {
                    switch self {
            \(names)        }
                }

                /// The schema of the API's requests; its responses have the same versions.
                package var requestSchema: MessageSchema {
                    switch self {
            \(schemas)        }
                }

                /// The versions that Apache Kafka 4.3's brokers advertise; nil if they do not
                /// serve it.
                package var kafkaVersions: ClosedRange<Int16>? {
                    switch self {
            \(served)        default: nil
                    }
                }
            }

            """
    }

    /// - Parameter rows: of errors.tsv: code, name, retriable, stale-metadata.
    static func errorCodes(_ rows: [[Substring]]) -> String {
        var cases = ""
        var names = ""
        var retriable: [Substring] = []
        var stale: [Substring] = []
        for row in rows {
            let words = row[1].split(separator: "_").map { $0.lowercased() }
            let name =
                words[0]
                + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
            cases += "    package static let \(name) = ErrorCode(rawValue: \(row[0]))\n"
            names += "        case \(row[0]): \"\(row[1])\"\n"
            if row[2] == "true" { retriable.append(row[0]) }
            if row[3] == "true" { stale.append(row[0]) }
        }
        return """
            // Generated from errors.tsv: change that.

            /// The protocol's error codes. A code that is not listed is kept as it came.
            package struct ErrorCode: RawRepresentable, Error, Hashable, Sendable,
                CustomStringConvertible
            {
                package var rawValue: Int16
                package init(rawValue: Int16) { self.rawValue = rawValue }

            \(cases)
                /// The protocol's name, such as `UNKNOWN_TOPIC_OR_PARTITION`.
                package var description: String {
                    switch rawValue {
            \(names)        default: "ERROR_\\(rawValue)"
                    }
                }

                /// Whether a client may send the same request again.
                package var isRetriable: Bool { Self.retriable.contains(rawValue) }
                /// Whether a client asks for metadata before it tries again.
                package var isStaleMetadata: Bool { Self.staleMetadata.contains(rawValue) }

                private static let retriable: Set<Int16> = [\(retriable.joined(separator: ", "))]
                private static let staleMetadata: Set<Int16> = [\(stale.joined(separator: ", "))]
            }

            """
    }
}
