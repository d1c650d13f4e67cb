internal import MillraceBase

/// Times of certificates as text.
enum UTCText {
    /// `2026-01-31T23:59:59Z`.
    static func of(seconds: Int64) -> String {
        // No certificate says a time beyond the year 9999.
        let bounded = min(max(seconds, -62_135_596_800), 253_402_300_799)
        return Timestamp(bounded * 1000).rfc3339.dropLast(5) + "Z"
    }
}
