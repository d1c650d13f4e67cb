internal import MillraceBase
internal import MillraceProtocol

extension Handler {
    static let apiVersions = Handler.answering(.apiVersions, 0...4) {
        (shard, context, request: ApiVersionsRequest) in
        guard context.version < 3 || request.namesSoftware else {
            return ApiVersionsResponse.refused(.invalidRequest)
        }
        return shard.apiVersions(context.version)
    }
}

extension ApiVersionsRequest {
    /// KIP-511: name and version of the client's software, letters and digits, inside also `-` and
    /// `.`.
    fileprivate var namesSoftware: Bool {
        Self.isValid(clientSoftwareName) && Self.isValid(clientSoftwareVersion)
    }

    private static func isValid(_ text: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        let bytes = text.utf8
        guard let first = bytes.first, let last = bytes.last else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && bytes.allSatisfy {
                isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
            }
    }
}

extension ApiVersionsResponse {
    static func refused(_ code: ErrorCode) -> ApiVersionsResponse {
        var response = ApiVersionsResponse()
        response.errorCode = code.rawValue
        return response
    }

    /// KIP-511: a version that is not served is answered in version 0, with the one API that
    /// matters.
    static func unsupportedVersion() -> ApiVersionsResponse {
        var response = refused(.unsupportedVersion)
        var key = ApiVersionsResponse.ApiKey()
        key.apiKey = MillraceProtocol.ApiKey.apiVersions.rawValue
        key.minVersion = Handler.apiVersions.advertised.lowerBound
        key.maxVersion = Handler.apiVersions.advertised.upperBound
        response.apiKeys = [key]
        return response
    }
}

extension Shard {
    fileprivate func apiVersions(_ version: Int16) -> ApiVersionsResponse {
        var response = ApiVersionsResponse()
        response.apiKeys = HandlerTable.all.map { handler in
            var key = ApiVersionsResponse.ApiKey()
            key.apiKey = handler.api.rawValue
            key.minVersion = handler.advertised.lowerBound
            key.maxVersion = handler.advertised.upperBound
            return key
        }.sorted { $0.apiKey < $1.apiKey }
        guard let view, version >= 3 else { return response }
        response.supportedFeatures = SupportedFeatures.all
            // Up to version 3 a lowest level of 0 could not be told (KIP-1043's compatibility).
            .filter { version > 3 || $0.range.lowerBound > 0 }
            .map { feature in
                var key = ApiVersionsResponse.SupportedFeature()
                key.name = feature.name
                key.minVersion = feature.range.lowerBound
                key.maxVersion = feature.range.upperBound
                return key
            }
        response.finalizedFeaturesEpoch = view.offset.rawValue - 1
        response.finalizedFeatures = view.features.map { feature in
            var key = ApiVersionsResponse.FinalizedFeature()
            key.name = feature.name
            key.maxVersionLevel = feature.level
            key.minVersionLevel = feature.level
            return key
        }
        return response
    }
}

/// The features of a cluster and the levels that this node supports (KIP-584).
package enum SupportedFeatures {
    package static let all: [(name: String, range: ClosedRange<Int16>)] = [
        ("eligible.leader.replicas.version", 0...1),
        ("group.version", 0...1),
        ("kraft.version", 0...1),
        ("metadata.version", 7...30),
        ("share.version", 0...1),
        ("streams.version", 0...1),
        ("transaction.version", 0...2),
    ]
}
