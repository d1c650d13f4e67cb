/// A request, its path percent-decoded.
package struct HTTPRequest: Sendable {
    /// `GET`, `HEAD`, `POST`, `PUT` or `DELETE`.
    package var method: String
    package var path: String
    /// Names and values in their order, percent-decoded.
    package var query: [(name: String, value: String)]
    package var body: [UInt8]
    /// The client's address.
    package var peer: String

    package init(
        method: String, path: String, query: [(name: String, value: String)] = [],
        body: [UInt8] = [], peer: String
    ) {
        (self.method, self.path, self.query, self.body, self.peer) =
            (method, path, query, body, peer)
    }

    /// The first value of a query's name.
    package func queryValue(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// Splits and decodes what stands behind `?`. A name without `=` has an empty value.
    static func query(_ text: String) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? decoded(parts[1].utf8, isQuery: true) : ""
            return (name: decoded(parts[0].utf8, isQuery: true), value: value)
        }
    }

    /// Percent-decodes; what is no escape stays as it is.
    static func decoded(_ text: some Sequence<UInt8>, isQuery: Bool) -> String {
        let bytes = Array(text)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%"), index + 2 < bytes.count,
                let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
                continue
            }
            result.append(isQuery && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            index += 1
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}

/// An answer.
package struct HTTPResponse: Sendable {
    package var status: Int
    package var contentType: String
    package var body: [UInt8]
    package var headers: [(name: String, value: String)] = []

    package init(
        status: Int = 200, contentType: String = "text/plain; charset=utf-8", body: [UInt8]
    ) {
        (self.status, self.contentType, self.body) = (status, contentType, body)
    }

    package init(
        status: Int = 200, contentType: String = "text/plain; charset=utf-8", text: String
    ) {
        self.init(status: status, contentType: contentType, body: Array(text.utf8))
    }
}
