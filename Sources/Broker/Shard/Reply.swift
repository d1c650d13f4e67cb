package import MillraceBase
package import MillraceProtocol
package import Storage

/// A finished answer: a frame's bytes, with slices of logs between them.
package struct Reply: Sendable {
    /// A slice that belongs at a place in the bytes.
    package struct Insertion: Sendable {
        /// Offset in `bytes` before which the slice's bytes go.
        package var position: Int
        package var slice: LogSlice
    }

    /// The frame with its size, without the slices' bytes.
    package var bytes: [UInt8]
    package var insertions: [Insertion] = []
    /// The first of the answer's error codes, for the metrics, where the answer was decided
    /// elsewhere; 0 is none.
    package var errorCode: Int16 = 0
    /// Why there is no answer; nil if there is one.
    package var failure: String?

    /// Writes a body as the answer to `token`.
    ///
    /// A body that the version cannot express (a text that repeats a client's and grew too long)
    /// gives no answer: `failure` says why, and the connection is closed.
    package init(
        _ body: some Message, to token: ReplyToken, slices: [LogSlice] = [],
        writer: inout ByteWriter
    ) {
        writer.reset()
        do throws(CodecError) {
            try writer.writeResponse(
                body, api: token.api, version: token.version, correlationID: token.correlationID)
        } catch {
            failure = "\(token.api.name) \(token.version) cannot be written: \(error)"
            bytes = []
            return
        }
        bytes = writer.array()
        guard !slices.isEmpty else { return }
        precondition(writer.splices.count == slices.count, "each splice has its slice")
        insertions = zip(writer.splices, slices).map { Insertion(position: $0.position, slice: $1) }
    }

    /// The same with a writer of its own, for answers that are not frequent.
    package init(_ body: some Message, to token: ReplyToken) {
        var writer = ByteWriter(capacity: 512)
        self.init(body, to: token, writer: &writer)
    }
}
