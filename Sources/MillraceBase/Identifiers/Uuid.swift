/// Sixteen bytes, written as Kafka writes them: base64url without padding, 22 characters.
@usableFromInline
package struct Uuid: Hashable, Comparable, Sendable, CustomStringConvertible {
    @usableFromInline package var high: UInt64
    @usableFromInline package var low: UInt64

    @inlinable
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// All zero: Kafka's "no id".
    package static let zero = Uuid(high: 0, low: 0)

    /// A random UUID of version 4, none of which Kafka would refuse: those that begin with a
    /// hyphen in base64url are drawn again, since command lines would take them for flags.
    package static func random(using generator: inout some RandomNumberGenerator) -> Uuid {
        while true {
            let random: (UInt64, UInt64) = (generator.next(), generator.next())
            let high = (random.0 & ~0xF000) | 0x4000  // version 4
            let low = (random.1 & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000  // variant 1
            let uuid = Uuid(high: high, low: low)
            if high >> 58 != 62 { return uuid }  // 62 is base64url's "-"
        }
    }

    @usableFromInline
    package static func < (a: Self, b: Self) -> Bool {
        a.high == b.high ? a.low < b.low : a.high < b.high
    }

    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    @usableFromInline
    package var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(22)
        // 128 bits in groups of six from the top; the last group has two bits, followed by zeros.
        for group in 0..<22 {
            let position = 122 - 6 * group
            let bits: UInt64
            if position >= 64 {
                bits = high >> UInt64(position - 64)
            } else if position >= 0 {
                bits = low >> UInt64(position) | (position > 58 ? high << UInt64(64 - position) : 0)
            } else {
                bits = low << 4
            }
            text.append(Self.alphabet[Int(bits & 63)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads 22 characters of base64url; nil if the text is anything else.
    package init?(_ text: some StringProtocol) {
        var value: (high: UInt64, low: UInt64) = (0, 0)
        var count = 0
        for byte in text.utf8 {
            let digit: UInt64
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = UInt64(byte) - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = UInt64(byte) - 71
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt64(byte) + 4
            case UInt8(ascii: "-"): digit = 62
            case UInt8(ascii: "_"): digit = 63
            default: return nil
            }
            let width: UInt64 = count == 21 ? 2 : 6
            if count == 21, digit & 15 != 0 { return nil }
            let bits = count == 21 ? digit >> 4 : digit
            value = (value.high << width | value.low >> (64 - width), value.low << width | bits)
            count += 1
            if count > 22 { return nil }
        }
        guard count == 22 else { return nil }
        (high, low) = value
    }
}
