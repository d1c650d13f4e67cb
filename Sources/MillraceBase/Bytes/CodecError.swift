/// Why bytes from outside could not be read or a value could not be written.
/// Positions are byte offsets from the start of what was read.
@usableFromInline
package enum CodecError: Error, Hashable, Sendable {
    /// The input ends before the value does.
    case truncated(at: Int)
    /// A length or count is negative, or more than the rest of the input can hold.
    case impossibleLength(at: Int)
    /// A variable-length integer has more than its longest form.
    case overlongVarint(at: Int)
    /// Text is not UTF-8.
    case invalidText(at: Int)
    /// Null stands where the schema allows none.
    case unexpectedNull(at: Int)
    /// Tags are not strictly increasing, or a tagged field's size does not fit its value.
    case invalidTaggedFields(at: Int)
    /// The message has no such version.
    case unsupportedVersion(Int16)
    /// A field that is set cannot be expressed in this version.
    case unwritableField(String)
}
