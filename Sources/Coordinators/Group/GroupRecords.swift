internal import MillraceBase
internal import MillraceProtocol

/// The records of `__consumer_offsets` that classic groups write, in Kafka's versions.
enum GroupRecords {
    /// What a record says.
    enum Meaning {
        case offset(group: String, topic: String, partition: Int32, OffsetCommitValue?)
        case group(String, GroupMetadataValue?)
        /// A record of another kind of group: kept in the log, without a meaning here.
        case other
    }

    private static let offsetKeyVersion: Int16 = 1
    private static let offsetValueVersion: Int16 = 4
    private static let groupKeyVersion: Int16 = 2
    private static let groupValueVersion: Int16 = 3

    static func offset(
        group: String, topic: String, partition: Int32, _ value: OffsetCommitValue?
    ) -> CoordinatorRecord {
        var key = OffsetCommitKey()
        (key.group, key.topic, key.partition) = (group, topic, partition)
        return CoordinatorRecord(
            key: bytes(key, offsetKeyVersion),
            // Only version 1 can say when the offset expires; Kafka uses it for that alone.
            value: value.map { bytes($0, $0.expireTimestamp < 0 ? offsetValueVersion : 1) })
    }

    static func group(_ id: String, _ value: GroupMetadataValue?) -> CoordinatorRecord {
        var key = GroupMetadataKey()
        key.group = id
        return CoordinatorRecord(
            key: bytes(key, groupKeyVersion), value: value.map { bytes($0, groupValueVersion) })
    }

    private static func bytes(_ message: some Message, _ version: Int16) -> [UInt8] {
        do throws(CodecError) {
            return try CoordinatorFraming.bytes(message, version: version)
        } catch {
            // Texts were checked when they came; no other field can be too long.
            preconditionFailure("a coordinator's record can be written: \(error)")
        }
    }

    /// Reads a record; nil if it is malformed.
    static func read(_ record: CoordinatorRecord) -> Meaning? {
        record.key.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            do throws(CodecError) {
                let type = try CoordinatorFraming.readVersion(from: &reader)
                switch type {
                case 0, 1:
                    let key = try OffsetCommitKey(from: &reader, version: type)
                    let value: OffsetCommitValue? = try Self.value(record.value)
                    return .offset(
                        group: key.group, topic: key.topic, partition: key.partition, value)
                case groupKeyVersion:
                    let key = try GroupMetadataKey(from: &reader, version: type)
                    return .group(key.group, try Self.value(record.value))
                default: return .other
                }
            } catch {
                return nil
            }
        }
    }

    private static func value<T: Message>(_ bytes: [UInt8]?) throws(CodecError) -> T? {
        guard let bytes else { return nil }
        let result = bytes.withUnsafeBytes { buffer -> Result<T, CodecError> in
            var reader = ByteReader(buffer)
            do throws(CodecError) {
                let version = try CoordinatorFraming.readVersion(from: &reader)
                return .success(try T(from: &reader, version: version))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

extension Group {
    /// The record that keeps the group.
    /// - Parameter assignments: those of the members, where they differ from what the group has.
    func metadata(assignments: [String: [UInt8]] = [:]) -> GroupMetadataValue {
        var value = GroupMetadataValue()
        value.protocolType = protocolType ?? ""
        value.generation = generation
        value.`protocol` = protocolName
        value.leader = leader
        value.currentStateTimestamp = stateTimestamp.rawValue
        value.members = joined.map { member in
            var stored = GroupMetadataValue.Member()
            stored.memberId = member.id
            stored.groupInstanceId = member.instanceID
            stored.clientId = member.client.id
            stored.clientHost = member.client.host
            stored.rebalanceTimeout = member.rebalanceTimeoutMs
            stored.sessionTimeout = member.sessionTimeoutMs
            stored.subscription = protocolName.map { member.metadata(of: $0) } ?? []
            stored.assignment = assignments[member.id] ?? member.assignment
            return stored
        }
        return value
    }

    /// The group as a record kept it.
    init(id: String, _ value: GroupMetadataValue, now: Timestamp) {
        self.init(id: id, now: now)
        generation = value.generation
        protocolType = value.protocolType.isEmpty ? nil : value.protocolType
        protocolName = value.`protocol`
        if value.currentStateTimestamp >= 0 {
            stateTimestamp = Timestamp(value.currentStateTimestamp)
        }
        for stored in value.members {
            // A log may say anything; of two that claim an id or an instance the first has it.
            let isTaken =
                members[stored.memberId] != nil
                || stored.groupInstanceId.map { statics[$0] != nil } ?? false
            guard !isTaken else { continue }
            var member = Member(
                id: stored.memberId, instanceID: stored.groupInstanceId,
                client: GroupClient(id: stored.clientId, host: stored.clientHost),
                rebalanceTimeoutMs: stored.rebalanceTimeout < 0
                    ? stored.sessionTimeout : stored.rebalanceTimeout,
                sessionTimeoutMs: stored.sessionTimeout,
                protocols: [
                    Member.GroupProtocol(
                        name: value.`protocol` ?? "", metadata: stored.subscription)
                ])
            member.assignment = stored.assignment
            member.isNew = false
            add(member)
        }
        leader = members.isEmpty ? nil : value.leader
        state = members.isEmpty ? .empty : .stable
    }
}
