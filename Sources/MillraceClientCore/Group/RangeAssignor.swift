/// Kafka's range assignor: of each topic, members in the order of their ids get runs of
/// partitions, the first ones one more where it does not divide.
package enum RangeAssignor {
    package static let name = "range"

    /// - Parameters:
    ///   - members: member id → its topics.
    ///   - partitionCounts: of the topics that exist.
    package static func assign(
        members: [String: [String]], partitionCounts: [String: Int32]
    ) -> [String: [NamedPartition]] {
        var assigned: [String: [NamedPartition]] = members.mapValues { _ in [] }
        for topic in Set(members.values.joined()).sorted() {
            guard let count = partitionCounts[topic], count > 0 else { continue }
            let readers = members.filter { $0.value.contains(topic) }.keys.sorted()
            let (share, extra) = Int(count).quotientAndRemainder(dividingBy: readers.count)
            var next = 0
            for (index, member) in readers.enumerated() {
                let own = share + (index < extra ? 1 : 0)
                for partition in next..<next + own {
                    assigned[member]?.append(NamedPartition(topic, Int32(partition)))
                }
                next += own
            }
        }
        return assigned
    }
}
