internal import MillraceBase
package import MillraceProtocol
internal import MillraceRecords

/// `<offset>.snapshot`: what a log knew of its producers at that offset, in Kafka's form: int16 1,
/// then a `ProducerSnapshot` whose CRC-32C covers all that follows it.
package enum ProducerSnapshotFile {
    /// Where the bytes begin that the CRC covers.
    private static let checksumStart = 6

    static func encode(_ states: ProducerStates) -> [UInt8] {
        var snapshot = ProducerSnapshot()
        snapshot.producerEntries = states.states.sorted { $0.key < $1.key }.map { id, state in
            var entry = ProducerSnapshot.ProducerEntry()
            entry.producerId = id
            entry.epoch = state.epoch
            entry.lastSequence = state.lastSequence
            entry.lastOffset = state.lastBatch?.lastOffset ?? -1
            entry.offsetDelta = state.lastBatch?.offsetDelta ?? 0
            entry.timestamp = state.lastTimestamp
            entry.coordinatorEpoch = state.coordinatorEpoch
            entry.currentTxnFirstOffset = state.transactionStart
            return entry
        }
        var writer = ByteWriter(capacity: 64 + 46 * snapshot.producerEntries.count)
        writer.writeInteger(1 as Int16)
        do throws(CodecError) {
            try snapshot.encode(into: &writer, version: 1)
        } catch {
            preconditionFailure("a snapshot has only fields of its version: \(error)")
        }
        let checksum = writer.withBytes {
            crc32c(UnsafeRawBufferPointer(rebasing: $0[checksumStart...]))
        }
        writer.overwriteInteger(checksum, at: 2)
        return writer.array()
    }

    /// - Throws: a text that says what is wrong.
    package static func decode(
        _ bytes: [UInt8]
    ) throws(SnapshotDefect) -> ProducerSnapshot {
        let result = bytes.withUnsafeBytes { bytes -> Result<ProducerSnapshot, SnapshotDefect> in
            guard bytes.count >= 10 else { return .failure(.cut) }
            var reader = ByteReader(bytes)
            do throws(CodecError) {
                let version = try reader.readInt16()
                guard version == 1 else { return .failure(.version(version)) }
                let covered = UnsafeRawBufferPointer(rebasing: bytes[checksumStart...])
                let snapshot = try ProducerSnapshot(from: &reader, version: 1)
                guard crc32c(covered) == snapshot.crc else { return .failure(.checksum) }
                return .success(snapshot)
            } catch {
                return .failure(.cut)
            }
        }
        return try result.get()
    }

    static func states(of snapshot: ProducerSnapshot, now: Instant) -> ProducerStates {
        var states = ProducerStates()
        for entry in snapshot.producerEntries {
            var state = ProducerState(seenAt: now)
            if entry.lastOffset >= 0 {
                let batch = ProducerState.Batch(
                    lastSequence: entry.lastSequence, lastOffset: entry.lastOffset,
                    offsetDelta: entry.offsetDelta, timestamp: entry.timestamp)
                state.add(batch, epoch: entry.epoch)
            }
            state.begin(epoch: entry.epoch)
            state.lastTimestamp = entry.timestamp
            state.coordinatorEpoch = entry.coordinatorEpoch
            state.transactionStart = entry.currentTxnFirstOffset
            states.insert(state, id: entry.producerId)
        }
        return states
    }
}

/// What is wrong with a producer snapshot.
package enum SnapshotDefect: Error, Hashable, Sendable {
    case cut
    case version(Int16)
    case checksum
}
