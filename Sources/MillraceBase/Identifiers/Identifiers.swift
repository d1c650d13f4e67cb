/// The id of a node, Kafka's `node.id` or `broker.id`. −1 stands for "none".
@usableFromInline
package struct NodeID: RawRepresentable, Hashable, Comparable, Sendable {
    @usableFromInline package var rawValue: Int32
    @inlinable package init(rawValue: Int32) { self.rawValue = rawValue }
    @inlinable package init(_ rawValue: Int32) { self.rawValue = rawValue }
    @inlinable package static func == (a: Self, b: Self) -> Bool { a.rawValue == b.rawValue }
    @inlinable package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    @inlinable package static var none: NodeID { NodeID(-1) }
}

/// A leader epoch: it fences everything that a partition's leader or the controller does (KIP-101).
@usableFromInline
package struct LeaderEpoch: RawRepresentable, Hashable, Comparable, Sendable {
    @usableFromInline package var rawValue: Int32
    @inlinable package init(rawValue: Int32) { self.rawValue = rawValue }
    @inlinable package init(_ rawValue: Int32) { self.rawValue = rawValue }
    @inlinable package static func == (a: Self, b: Self) -> Bool { a.rawValue == b.rawValue }
    @inlinable package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    @inlinable package static var none: LeaderEpoch { LeaderEpoch(-1) }
}

/// A position in a partition's log, counted in records. Ends of ranges are exclusive.
@usableFromInline
package struct Offset: RawRepresentable, Hashable, Comparable, Sendable {
    @usableFromInline package var rawValue: Int64
    @inlinable package init(rawValue: Int64) { self.rawValue = rawValue }
    @inlinable package init(_ rawValue: Int64) { self.rawValue = rawValue }
    @inlinable package static func == (a: Self, b: Self) -> Bool { a.rawValue == b.rawValue }
    @inlinable package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    @inlinable package static var zero: Offset { Offset(0) }
    @inlinable package static var none: Offset { Offset(-1) }
    /// Saturates at the ends of Int64: an offset may come from outside.
    @inlinable
    package static func + (a: Self, count: Int64) -> Self {
        let (sum, overflow) = a.rawValue.addingReportingOverflow(count)
        return Offset(overflow ? (count < 0 ? .min : .max) : sum)
    }
    @inlinable package static func - (a: Self, b: Self) -> Int64 { a.rawValue &- b.rawValue }
}

/// A topic's id, a random UUID that a topic of the same name made later does not share (KIP-516).
package struct TopicID: Hashable, Comparable, Sendable {
    package var uuid: Uuid
    package init(_ uuid: Uuid) { self.uuid = uuid }
    package static func < (a: Self, b: Self) -> Bool { a.uuid < b.uuid }
    package static let zero = TopicID(.zero)
}

/// A partition of a topic by id: what a log and a shard's slot belong to.
package struct TopicPartition: Hashable, Comparable, Sendable {
    package var topic: TopicID
    package var index: Int32
    package init(topic: TopicID, index: Int32) {
        self.topic = topic
        self.index = index
    }
    package static func < (a: Self, b: Self) -> Bool {
        a.topic == b.topic ? a.index < b.index : a.topic < b.topic
    }
}
