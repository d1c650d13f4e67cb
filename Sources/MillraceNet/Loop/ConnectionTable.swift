/// The connections of a loop by slot. A slot is used again with the next generation, so that an
/// event or a message for a connection that is gone finds nothing.
final class ConnectionTable {
    private struct Slot {
        var connection: Connection?
        var generation: UInt32
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    /// The id of the next connection; `put` must follow.
    func reserve() -> ConnectionID {
        if let slot = free.popLast() {
            return ConnectionID(slot: slot, generation: slots[Int(slot)].generation)
        }
        slots.append(Slot(connection: nil, generation: 1))
        return ConnectionID(slot: UInt32(slots.count - 1), generation: 1)
    }

    func put(_ connection: Connection) {
        precondition(slots[Int(connection.id.slot)].connection == nil, "a slot has one connection")
        slots[Int(connection.id.slot)].connection = connection
        count += 1
    }

    func remove(_ connection: Connection) {
        let slot = Int(connection.id.slot)
        guard slots[slot].connection === connection else { return }
        slots[slot].connection = nil
        // The highest generation would make a token of ours.
        slots[slot].generation =
            slots[slot].generation >= 0x7FFF_FFFF
            ? 1 : slots[slot].generation + 1
        free.append(connection.id.slot)
        count -= 1
    }

    subscript(id: ConnectionID) -> Connection? {
        guard Int(id.slot) < slots.count, slots[Int(id.slot)].generation == id.generation else {
            return nil
        }
        return slots[Int(id.slot)].connection
    }

    func all() -> [Connection] { slots.compactMap(\.connection) }
}

extension ConnectionID {
    var token: UInt64 { UInt64(generation) << 32 | UInt64(slot) }

    init(token: UInt64) {
        self.init(
            slot: UInt32(truncatingIfNeeded: token),
            generation: UInt32(truncatingIfNeeded: token >> 32))
    }
}
