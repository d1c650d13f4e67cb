internal import MillraceBase
package import MillraceProtocol

/// One API: the versions that are served, and what decides an answer.
///
/// A handler answers at once (`answering`), or takes the request and gives `Shard.reply` its token
/// later, from this shard or, by message, from another thread (`deferring`).
package struct Handler: Sendable {
    package let api: ApiKey
    package let versions: ClosedRange<Int16>
    /// Versions that ApiVersions tells, if they are not those that are served (Produce below 3).
    package let advertised: ClosedRange<Int16>
    let run: @Sendable (Shard, RequestContext, inout ByteReader) throws(CodecError) -> Void

    init(
        _ api: ApiKey, _ versions: ClosedRange<Int16>, advertised: ClosedRange<Int16>? = nil,
        run:
            @escaping @Sendable (Shard, RequestContext, inout ByteReader) throws(CodecError) -> Void
    ) {
        (self.api, self.versions, self.run) = (api, versions, run)
        self.advertised = advertised ?? versions
    }

    /// A handler whose answer is known at once.
    static func answering<Q: Message, R: Message>(
        _ api: ApiKey, _ versions: ClosedRange<Int16>,
        _ body: @escaping @Sendable (Shard, RequestContext, Q) -> R
    ) -> Handler {
        Handler(api, versions) { shard, context, reader throws(CodecError) in
            let request = try Q(from: &reader, version: context.version)
            shard.reply(context.token, body(shard, context, request))
        }
    }

    /// A handler that answers later, through `Shard.reply` or a message.
    static func deferring<Q: Message>(
        _ api: ApiKey, _ versions: ClosedRange<Int16>, advertised: ClosedRange<Int16>? = nil,
        _ body: @escaping @Sendable (Shard, RequestContext, Q) -> Void
    ) -> Handler {
        Handler(api, versions, advertised: advertised) {
            shard, context, reader throws(CodecError) in
            body(shard, context, try Q(from: &reader, version: context.version))
        }
    }
}
