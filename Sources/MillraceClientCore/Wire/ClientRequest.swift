package import MillraceBase
package import MillraceProtocol

/// The requests that the machines here make.
package enum ClientRequest: Equatable, Sendable {
    case metadata(MetadataRequest)
    case produce(ProduceRequest)
    case initProducerID(InitProducerIdRequest)
    case fetch(FetchRequest)
    case listOffsets(ListOffsetsRequest)
    case findCoordinator(FindCoordinatorRequest)
    case joinGroup(JoinGroupRequest)
    case syncGroup(SyncGroupRequest)
    case heartbeat(HeartbeatRequest)
    case leaveGroup(LeaveGroupRequest)
    case offsetCommit(OffsetCommitRequest)
    case offsetFetch(OffsetFetchRequest)

    package var api: ApiKey {
        switch self {
        case .metadata: .metadata
        case .produce: .produce
        case .initProducerID: .initProducerId
        case .fetch: .fetch
        case .listOffsets: .listOffsets
        case .findCoordinator: .findCoordinator
        case .joinGroup: .joinGroup
        case .syncGroup: .syncGroup
        case .heartbeat: .heartbeat
        case .leaveGroup: .leaveGroup
        case .offsetCommit: .offsetCommit
        case .offsetFetch: .offsetFetch
        }
    }

    package var message: any Message {
        switch self {
        case .metadata(let message): message
        case .produce(let message): message
        case .initProducerID(let message): message
        case .fetch(let message): message
        case .listOffsets(let message): message
        case .findCoordinator(let message): message
        case .joinGroup(let message): message
        case .syncGroup(let message): message
        case .heartbeat(let message): message
        case .leaveGroup(let message): message
        case .offsetCommit(let message): message
        case .offsetFetch(let message): message
        }
    }

    /// The newest version in which the request names topics as the machines do, by name; newer ones
    /// name them by id.
    package var versionMax: Int16 { Self.versionMax(of: api) }

    /// The newest version of an API that is used here.
    package static func versionMax(of api: ApiKey) -> Int16 {
        switch api {
        case .produce, .fetch: 12
        case .offsetCommit, .offsetFetch: 9
        default: api.requestSchema.versions.upperBound
        }
    }

    /// Whether the broker answers at all.
    package var hasAnswer: Bool {
        guard case .produce(let message) = self else { return true }
        return message.acks != 0
    }

    /// How long the broker may hold the answer back, in milliseconds, before it is late.
    package var heldMs: Int32 {
        switch self {
        case .produce(let message): message.timeoutMs
        case .fetch(let message): message.maxWaitMs
        case .joinGroup(let message): message.rebalanceTimeoutMs
        // It waits for the leader of the group, who may be as slow as the others' joining.
        case .syncGroup: 60_000
        default: 0
        }
    }

    /// Reads the answer's body.
    package func readAnswer(
        from reader: inout ByteReader, version v: Int16
    ) throws(CodecError) -> ClientResponse {
        switch self {
        case .metadata: .metadata(try MetadataResponse(from: &reader, version: v))
        case .produce: .produce(try ProduceResponse(from: &reader, version: v))
        case .initProducerID: .initProducerID(try InitProducerIdResponse(from: &reader, version: v))
        case .fetch: .fetch(try FetchResponse(from: &reader, version: v))
        case .listOffsets: .listOffsets(try ListOffsetsResponse(from: &reader, version: v))
        case .findCoordinator:
            .findCoordinator(try FindCoordinatorResponse(from: &reader, version: v))
        case .joinGroup: .joinGroup(try JoinGroupResponse(from: &reader, version: v))
        case .syncGroup: .syncGroup(try SyncGroupResponse(from: &reader, version: v))
        case .heartbeat: .heartbeat(try HeartbeatResponse(from: &reader, version: v))
        case .leaveGroup: .leaveGroup(try LeaveGroupResponse(from: &reader, version: v))
        case .offsetCommit: .offsetCommit(try OffsetCommitResponse(from: &reader, version: v))
        case .offsetFetch: .offsetFetch(try OffsetFetchResponse(from: &reader, version: v))
        }
    }
}

/// The answers to them. Record fields hold their bytes, not a place in a frame.
package enum ClientResponse: Equatable, Sendable {
    case metadata(MetadataResponse)
    case produce(ProduceResponse)
    case initProducerID(InitProducerIdResponse)
    case fetch(FetchResponse)
    case listOffsets(ListOffsetsResponse)
    case findCoordinator(FindCoordinatorResponse)
    case joinGroup(JoinGroupResponse)
    case syncGroup(SyncGroupResponse)
    case heartbeat(HeartbeatResponse)
    case leaveGroup(LeaveGroupResponse)
    case offsetCommit(OffsetCommitResponse)
    case offsetFetch(OffsetFetchResponse)

    /// The same with record bytes copied out of the frame that they lie in.
    package func detached(from frame: UnsafeRawBufferPointer) -> ClientResponse {
        guard case .fetch(var response) = self else { return self }
        for topic in response.responses.indices {
            for index in response.responses[topic].partitions.indices {
                let records = response.responses[topic].partitions[index].records
                guard case .frame(let range)? = records else { continue }
                response.responses[topic].partitions[index].records = .bytes(
                    Array(UnsafeRawBufferPointer(rebasing: frame[range])))
            }
        }
        return .fetch(response)
    }
}
