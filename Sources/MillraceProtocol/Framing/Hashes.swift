/// Hashes that clients and brokers must agree on.
package enum Hashes {
    /// Java's `String.hashCode`, over UTF-16 units: it chooses a coordinator's partition.
    package static func javaString(_ text: String) -> Int32 {
        text.utf16.reduce(0 as Int32) { $0 &* 31 &+ Int32($1) }
    }

    /// The partition of an internal topic that coordinates `id`: `abs(hash) % count`, where the
    /// absolute value of the least integer is 0, as Kafka has it.
    package static func coordinatorPartition(_ id: String, count: Int32) -> Int32 {
        let hash = javaString(id)
        guard count > 0, hash != .min else { return 0 }
        return abs(hash) % count
    }

    /// MurmurHash2 with the seed of Kafka's clients (0x9747b28c): it chooses a keyed record's
    /// partition.
    package static func murmur2(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        let multiplier: UInt32 = 0x5bd1_e995
        var hash: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: bytes.count)
        let whole = bytes.count & ~3
        for start in stride(from: 0, to: whole, by: 4) {
            var word = UInt32(
                littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self))
            word = word &* multiplier
            word ^= word >> 24
            hash = (hash &* multiplier) ^ (word &* multiplier)
        }
        let rest = bytes.count & 3
        if rest > 0 {
            for index in (0..<rest).reversed() {
                hash ^= UInt32(bytes[whole + index]) << UInt32(8 * index)
            }
            hash = hash &* multiplier
        }
        hash ^= hash >> 13
        hash = hash &* multiplier
        hash ^= hash >> 15
        return Int32(bitPattern: hash)
    }

    /// The partition of a keyed record among `count`, as Kafka's default partitioner has it.
    package static func partition(forKey key: UnsafeRawBufferPointer, count: Int32) -> Int32 {
        (murmur2(key) & 0x7FFF_FFFF) % max(count, 1)
    }
}
