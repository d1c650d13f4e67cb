/// Kafka's rules for the name of a topic.
package enum TopicName {
    package static let bytesMax = 249

    /// Why `name` cannot be a topic's, in Kafka's words; nil if it can.
    package static func refusal(of name: String) -> String? {
        let reason: String
        if name.isEmpty {
            reason = "the empty string is not allowed"
        } else if name == "." || name == ".." {
            reason = "'\(name)' is not allowed"
        } else if name.utf8.count > bytesMax {
            reason = "the length of '\(name)' is longer than the max allowed length \(bytesMax)"
        } else if !name.utf8.allSatisfy(isAllowed) {
            reason =
                "'\(name)' contains one or more characters other than ASCII alphanumerics, "
                + "'.', '_' and '-'"
        } else {
            return nil
        }
        return "Topic name is invalid: \(reason)"
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Kafka's own topics, which Metadata marks as internal.
    package static func isInternal(_ name: String) -> Bool {
        ["__consumer_offsets", "__transaction_state", "__share_group_state"].contains(name)
    }
}
