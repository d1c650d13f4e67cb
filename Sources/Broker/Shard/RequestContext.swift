package import MillraceBase
internal import MillraceProtocol

/// What a handler knows of a request beside its body.
package struct RequestContext {
    package let token: ReplyToken
    package let clientID: String?
    package let connection: ConnectionInfo
    /// The frame, for `records` that are ranges of it; valid until the step's effects are done.
    package let frame: UnsafeMutableRawBufferPointer
    package let now: Moment

    package var version: Int16 { token.version }
}
