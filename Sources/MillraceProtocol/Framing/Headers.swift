package import MillraceBase

extension RequestHeader {
    /// Reads the header of a request frame (without its size): version 2 if the API version is
    /// flexible, else 1. The body begins where the reader then stands.
    ///
    /// - Parameter frame: the frame's bytes.
    /// - Throws: `CodecError` for a frame too short for a header. An API key or version that is not
    ///   known is no error here: the header is then read as version 1, which is what all share.
    package static func read(
        from reader: inout ByteReader
    ) throws(CodecError) -> RequestHeader {
        var peek = reader
        let key = try peek.readInt16()
        let version = try peek.readInt16()
        return try RequestHeader(from: &reader, version: headerVersion(key: key, version: version))
    }

    /// The header's version for an API version.
    package static func headerVersion(key: Int16, version: Int16) -> Int16 {
        guard let api = ApiKey(rawValue: key) else { return 1 }
        return api.requestSchema.isFlexible(version) ? 2 : 1
    }

    package init(api: ApiKey, version: Int16, correlationID: Int32, clientID: String?) {
        self.init()
        requestApiKey = api.rawValue
        requestApiVersion = version
        correlationId = correlationID
        clientId = clientID
    }
}

extension ResponseHeader {
    /// The header's version for an API version: 1 if that is flexible, but always 0 for
    /// ApiVersions, since its client cannot know yet what the broker speaks (KIP-511).
    package static func headerVersion(api: ApiKey, version: Int16) -> Int16 {
        api != .apiVersions && api.requestSchema.isFlexible(version) ? 1 : 0
    }
}

extension ByteWriter {
    /// Writes a response frame: size, header, body. Splices are counted by the size.
    package mutating func writeResponse(
        _ body: some Message, api: ApiKey, version: Int16, correlationID: Int32
    ) throws(CodecError) {
        let start = count
        writeInteger(0 as Int32)
        var header = ResponseHeader()
        header.correlationId = correlationID
        try header.encode(
            into: &self, version: ResponseHeader.headerVersion(api: api, version: version))
        try body.encode(into: &self, version: version)
        finishFrame(at: start)
    }

    /// Writes a request frame: size, header, body.
    package mutating func writeRequest(
        _ body: some Message, api: ApiKey, version: Int16, correlationID: Int32, clientID: String?
    ) throws(CodecError) {
        let start = count
        writeInteger(0 as Int32)
        let header = RequestHeader(
            api: api, version: version, correlationID: correlationID, clientID: clientID)
        try header.encode(
            into: &self,
            version: RequestHeader.headerVersion(key: api.rawValue, version: version))
        try body.encode(into: &self, version: version)
        finishFrame(at: start)
    }

    private mutating func finishFrame(at start: Int) {
        let elsewhere = splices.reduce(0) { $0 + ($1.position >= start ? $1.count : 0) }
        overwriteInteger(Int32(clamping: count - start - 4 + elsewhere), at: start)
    }
}
