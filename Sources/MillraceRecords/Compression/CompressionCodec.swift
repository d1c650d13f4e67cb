/// The codecs of a batch, numbered as in the lowest three bits of its attributes.
package enum CompressionCodec: Int8, CaseIterable, Hashable, Sendable {
    case none = 0
    case gzip = 1
    case snappy = 2
    case lz4 = 3
    case zstd = 4

    /// Kafka's name, as in `compression.type`.
    package var name: String {
        switch self {
        case .none: "none"
        case .gzip: "gzip"
        case .snappy: "snappy"
        case .lz4: "lz4"
        case .zstd: "zstd"
        }
    }

    /// The codec of that name; "uncompressed" is the topic setting's word for none.
    package init?(name: String) {
        guard let codec = Self.allCases.first(where: { $0.name == name }) else {
            guard name == "uncompressed" else { return nil }
            self = .none
            return
        }
        self = codec
    }

    /// Kafka's default level where the codec has levels (KIP-390).
    package var defaultLevel: Int32 {
        switch self {
        case .gzip: -1
        case .lz4: 9
        case .zstd: 3
        case .none, .snappy: 0
        }
    }
}
