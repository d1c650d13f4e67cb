/// Swift names from the protocol's.
enum Names {
    private static let keywords: Set = [
        "protocol", "default", "operator", "in", "is", "as", "init", "self", "true", "false",
        "case",
        "where", "repeat", "return", "internal", "public", "extension",
    ]

    /// `TopicData` → `topicData`.
    static func property(_ name: String) -> String {
        let lowered = name.prefix(1).lowercased() + name.dropFirst()
        return keywords.contains(lowered) ? "`\(lowered)`" : lowered
    }

    /// The type of an array's element: the singular of the field's name. `Protocol` would be the
    /// metatype syntax's word.
    static func element(_ field: String) -> String {
        let name = field.prefix(1).uppercased() + field.dropFirst()
        let singular: String
        if name.hasSuffix("ies") {
            singular = name.dropLast(3) + "y"
        } else if name.hasSuffix("ches") || name.hasSuffix("sses") {
            singular = String(name.dropLast(2))
        } else if name.hasSuffix("s"), !name.hasSuffix("ss"), !name.hasSuffix("us") {
            singular = String(name.dropLast())
        } else {
            singular = name
        }
        return singular == "Protocol" ? "GroupProtocol" : singular
    }

    /// The type of a single struct: the field's name.
    static func structure(_ field: String) -> String {
        field.prefix(1).uppercased() + field.dropFirst()
    }

    static func message(_ message: MessageDefinition) -> String {
        switch message.kind {
        case "request" where !message.name.hasSuffix("Request"): message.name + "Request"
        case "response" where !message.name.hasSuffix("Response"): message.name + "Response"
        default: message.name
        }
    }
}
