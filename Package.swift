// swift-tools-version: 6.2
import PackageDescription

/// One set of settings for every Swift target: complete concurrency checking, no warnings.
let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

func library(
    _ name: String, _ dependencies: [Target.Dependency] = [], plugins: [Target.PluginUsage]? = nil,
    exclude: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, exclude: exclude, swiftSettings: swiftSettings,
        plugins: plugins)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport"], exclude: exclude,
        swiftSettings: swiftSettings)
}

// A target imports only targets listed before it, and only those that its row names: TidyTests holds this.
let package = Package(
    name: "millrace",
    products: [
        .executable(name: "millrace", targets: ["CLI"])
    ],
    targets: [
        // Ground
        .target(name: "CMillrace"),
        .systemLibrary(
            name: "CMillraceCodecs",
            providers: [.apt(["liblz4-dev", "libzstd-dev", "zlib1g-dev", "libsnappy-dev"])]),
        .systemLibrary(
            name: "CMillraceTLS", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CMillraceHTTP", pkgConfig: "libevent_openssl",
            providers: [.apt(["libevent-dev"])]),
        library("MillraceBase", ["CMillrace"]),
        // Wire
        .executableTarget(name: "SchemaCompiler", swiftSettings: swiftSettings),
        .plugin(
            name: "SchemaPlugin", capability: .buildTool(), dependencies: ["SchemaCompiler"],
            path: "Sources/SchemaPlugin"),
        library(
            "MillraceProtocol", ["MillraceBase"], plugins: ["SchemaPlugin"], exclude: ["Schemas"]),
        library("MillraceRecords", ["MillraceBase", "CMillrace", "CMillraceCodecs"]),
        // Cores
        library("MillraceClientCore", ["MillraceBase", "MillraceProtocol", "MillraceRecords"]),
        library("Storage", ["MillraceBase", "CMillrace", "MillraceProtocol", "MillraceRecords"]),
        library("Raft", ["MillraceBase", "MillraceProtocol", "MillraceRecords"]),
        library("Metadata", ["MillraceBase", "MillraceProtocol"]),
        library(
            "Replication",
            ["MillraceBase", "MillraceProtocol", "MillraceRecords", "Storage", "Metadata"]),
        library(
            "Coordinators", ["MillraceBase", "MillraceProtocol", "MillraceRecords", "Metadata"]),
        // Node
        library(
            "Broker",
            [
                "MillraceBase", "MillraceProtocol", "MillraceRecords", "MillraceClientCore",
                "Storage", "Raft", "Metadata",
                "Replication", "Coordinators",
            ]),
        library("MillraceNet", ["MillraceBase", "CMillrace", "CMillraceTLS", "CMillraceHTTP"]),
        library(
            "Server",
            [
                "MillraceBase", "MillraceProtocol", "MillraceRecords", "CMillrace", "Broker",
                "MillraceNet", "Storage", "Raft",
                "Metadata", "Replication", "Coordinators",
            ]),
        // Users
        library(
            "MillraceClient",
            [
                "MillraceBase", "MillraceProtocol", "MillraceRecords", "MillraceClientCore",
                "MillraceNet",
            ]),
        // Tools
        .executableTarget(
            name: "CLI",
            dependencies: [
                "MillraceBase", "MillraceProtocol", "MillraceRecords", "MillraceClientCore",
                "MillraceClient", "Storage", "Raft",
                "Metadata", "Broker", "MillraceNet", "Server",
            ],
            swiftSettings: swiftSettings + [.unsafeFlags(["-static-stdlib"])],
            linkerSettings: [.unsafeFlags(["-static-stdlib"])]),
        // Tests
        .target(
            name: "TestSupport", dependencies: ["MillraceBase"], path: "Tests/TestSupport",
            swiftSettings: swiftSettings),
        tests("MillraceBaseTests", ["MillraceBase"]),
        tests(
            "MillraceProtocolTests", ["MillraceBase", "MillraceProtocol", "MillraceRecords"],
            exclude: ["Vectors", "clients"]),
        tests("MillraceRecordsTests", ["MillraceBase", "MillraceRecords", "CMillrace"]),
        tests(
            "MillraceClientCoreTests",
            ["MillraceBase", "MillraceProtocol", "MillraceRecords", "MillraceClientCore"]),
        tests("StorageTests", ["MillraceBase", "MillraceProtocol", "MillraceRecords", "Storage"]),
        tests("RaftTests", ["MillraceBase", "MillraceProtocol", "MillraceRecords", "Raft"]),
        tests("MetadataTests", ["MillraceBase", "MillraceProtocol", "Metadata"]),
        tests(
            "ReplicationTests",
            [
                "MillraceBase", "MillraceProtocol", "MillraceRecords", "Storage", "Metadata",
                "Replication",
            ]),
        tests(
            "CoordinatorsTests",
            ["MillraceBase", "MillraceProtocol", "MillraceRecords", "Metadata", "Coordinators"]),
        tests(
            "BrokerTests",
            [
                "MillraceBase", "MillraceProtocol", "MillraceRecords", "Storage", "Raft",
                "Metadata", "Replication", "Coordinators",
                "Broker",
            ]),
        tests("MillraceNetTests", ["MillraceBase", "CMillrace", "CMillraceTLS", "MillraceNet"]),
        tests(
            "ServerTests",
            [
                "MillraceBase", "MillraceProtocol", "MillraceRecords", "Storage", "Broker",
                "MillraceNet", "Server", "MillraceClient",
            ]),
        tests(
            "MillraceClientTests",
            [
                "MillraceBase", "MillraceProtocol", "MillraceRecords", "MillraceClientCore",
                "MillraceNet", "MillraceClient",
            ]),
        tests("ConformanceTests", ["MillraceBase", "MillraceProtocol"], exclude: ["clients"]),
        tests(
            "EndToEndTests",
            [
                "MillraceBase", "MillraceProtocol", "MillraceRecords", "MillraceClientCore",
                "MillraceClient", "MillraceNet",
            ], exclude: ["clients"]),
        tests("TidyTests", []),
    ],
    cxxLanguageStandard: .cxx17
)
