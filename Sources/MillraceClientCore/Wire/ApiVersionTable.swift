package import MillraceProtocol

/// What a broker serves, as its answer to ApiVersions says (KIP-35): each request goes out in the
/// newest version that both sides speak.
package struct ApiVersionTable: Equatable, Sendable {
    private var ranges: [Int16: ClosedRange<Int16>] = [:]

    package init() {}

    /// Takes up an answer. Ranges that are empty are left out.
    package init(_ response: ApiVersionsResponse) {
        for api in response.apiKeys where api.minVersion <= api.maxVersion {
            ranges[api.apiKey] = api.minVersion...api.maxVersion
        }
    }

    /// The version to use, at most `limit`; nil if there is none.
    package func version(of api: ApiKey, atMost limit: Int16 = .max) -> Int16? {
        guard let theirs = ranges[api.rawValue] else { return nil }
        let ours = api.requestSchema.versions
        let version = min(ours.upperBound, theirs.upperBound, limit)
        return version >= max(ours.lowerBound, theirs.lowerBound) ? version : nil
    }
}
