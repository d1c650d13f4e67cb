package import MillraceBase
package import MillraceProtocol

/// A registered broker: its last registration, with what has changed since.
package struct BrokerImage: Equatable, Sendable {
    /// An address of a listener.
    package typealias Endpoint = RegisterBrokerRecord.EndPoint

    /// The registration; `fenced`, `inControlledShutdown` and the directories are kept up.
    package var registration: RegisterBrokerRecord

    package var id: NodeID { NodeID(registration.brokerId) }
    /// The offset of the registration's record: newer than any before it.
    package var epoch: Int64 { registration.brokerEpoch }
    package var incarnation: Uuid { registration.incarnationId }
    package var rack: String? { registration.rack }
    /// Fenced brokers lead nothing and are told to nobody.
    package var isFenced: Bool { registration.fenced }
    package var isShuttingDown: Bool { registration.inControlledShutdown }
    package var endpoints: [Endpoint] { registration.endPoints }
    package var directories: [Uuid] { registration.logDirs }

    /// Where the broker's listener of that name is reached.
    package func endpoint(listener: String) -> Endpoint? {
        registration.endPoints.first { $0.name == listener }
    }

    mutating func apply(_ change: BrokerRegistrationChangeRecord) {
        if change.fenced != 0 { registration.fenced = change.fenced > 0 }
        if change.inControlledShutdown != 0 {
            registration.inControlledShutdown = change.inControlledShutdown > 0
        }
        if !change.logDirs.isEmpty { registration.logDirs = change.logDirs }
        if let cordoned = change.cordonedLogDirs { registration.cordonedLogDirs = cordoned }
    }
}

/// What settings belong to.
package struct ConfigResource: Hashable, Comparable, Sendable {
    /// Kafka's number of each kind.
    package enum Kind: Int8, Sendable, CaseIterable {
        case topic = 2
        case broker = 4
        case brokerLogger = 8
        case clientMetrics = 16
        case group = 32
    }

    /// A number, so that kinds of later versions are kept.
    package var type: Int8
    /// Of a broker: its id as text; empty for all brokers.
    package var name: String

    package init(_ kind: Kind, _ name: String) { (type, self.name) = (kind.rawValue, name) }
    package init(type: Int8, name: String) { (self.type, self.name) = (type, name) }

    package var kind: Kind? { Kind(rawValue: type) }

    // By bytes: a group's name is any UTF-8, and two that look alike are not the same.
    package static func < (a: Self, b: Self) -> Bool {
        a.type == b.type
            ? a.name.utf8.lexicographicallyPrecedes(b.name.utf8) : a.type < b.type
    }

    package static func == (a: Self, b: Self) -> Bool {
        a.type == b.type && a.name.utf8.elementsEqual(b.name.utf8)
    }
}
