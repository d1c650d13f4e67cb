internal import MillraceClient
internal import MillraceClientCore
internal import MillraceProtocol

/// `millrace cluster`: the cluster and its nodes.
enum ClusterCommand {
    static let all: [Command] = [
        Command(
            path: ["cluster", "describe"], summary: "Show the cluster's id and its nodes",
            isClient: true, run: describe)
    ]

    private static func describe(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        let client = try invocation.connect()
        let found = try blocking("cluster") { () async throws(ClientError) in
            try await client.describeCluster()
        }
        let brokers = found.brokers.sorted { $0.brokerId < $1.brokerId }
        if invocation.output != .json { Terminal.note("cluster \(found.clusterId)") }
        invocation.show(
            Listing(
                columns: [
                    Column("NODE", right: true), Column("ADDRESS"), Column("RACK"),
                    Column("CONTROLLER"),
                ],
                rows: brokers.map { broker in
                    [
                        "\(broker.brokerId)", "\(broker.host):\(broker.port)", broker.rack ?? "",
                        broker.brokerId == found.controllerId ? "yes" : "no",
                    ]
                },
                json: .object([
                    ("cluster_id", .text(found.clusterId)),
                    ("controller_id", JSONValue(found.controllerId)),
                    (
                        "nodes",
                        .list(
                            brokers.map { broker in
                                .object([
                                    ("id", JSONValue(broker.brokerId)),
                                    ("host", .text(broker.host)),
                                    ("port", JSONValue(broker.port)),
                                    ("rack", JSONValue(broker.rack)),
                                ])
                            })
                    ),
                ])))
        return .done
    }
}
