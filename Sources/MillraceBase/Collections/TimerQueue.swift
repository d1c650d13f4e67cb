/// Names one timer of a `TimerQueue`, once: an id is not used again after its timer is gone.
package struct TimerID: Hashable, Sendable {
    var slot: Int32
    var generation: UInt32
}

/// What is to happen when: timers in order of their deadlines, and of their making where those are
/// equal, so that the same events give the same order. Setting, cancelling and taking one is
/// O(log n).
package struct TimerQueue<Payload> {
    struct Entry {
        var deadline: Instant
        var sequence: UInt64
        var slot: Int

        init(deadline: Instant, sequence: UInt64, slot: Int) {
            self.deadline = deadline
            self.sequence = sequence
            self.slot = slot
        }

        static func < (a: Entry, b: Entry) -> Bool {
            a.deadline == b.deadline ? a.sequence < b.sequence : a.deadline < b.deadline
        }
    }

    struct Slot {
        /// Place in the heap; −1 while the slot is free.
        var position: Int
        var generation: UInt32
        var payload: Payload?

        init(position: Int, generation: UInt32, payload: Payload?) {
            self.position = position
            self.generation = generation
            self.payload = payload
        }
    }

    var heap: [Entry] = []
    var slots: [Slot] = []
    var free: [Int] = []
    var sequence: UInt64 = 0

    package init() {}

    package var count: Int { heap.count }
    package var isEmpty: Bool { heap.isEmpty }
    /// When the next timer is due.
    package var nextDeadline: Instant? { heap.first?.deadline }

    /// Sets a timer.
    @discardableResult
    package mutating func schedule(_ payload: Payload, at deadline: Instant) -> TimerID {
        let slot = free.popLast() ?? slots.count
        if slot == slots.count {
            slots.append(Slot(position: heap.count, generation: 0, payload: payload))
        } else {
            slots[slot].payload = payload
            slots[slot].position = heap.count
        }
        heap.append(Entry(deadline: deadline, sequence: sequence, slot: slot))
        sequence += 1
        rise(heap.count - 1)
        return TimerID(slot: Int32(slot), generation: slots[slot].generation)
    }

    /// Takes a timer away; nil if it is gone already.
    @discardableResult
    package mutating func cancel(_ id: TimerID) -> Payload? {
        guard id.slot >= 0, id.slot < slots.count else { return nil }
        let slot = slots[Int(id.slot)]
        guard slot.generation == id.generation, slot.position >= 0 else { return nil }
        return remove(at: slot.position)
    }

    /// Takes the next timer that is due, if one is.
    package mutating func popDue(at now: Instant) -> Payload? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        return remove(at: 0)
    }

    private mutating func remove(at position: Int) -> Payload? {
        let slot = heap[position].slot
        let payload = slots[slot].payload
        slots[slot].payload = nil
        slots[slot].position = -1
        slots[slot].generation &+= 1
        free.append(slot)
        let last = heap.removeLast()
        if position < heap.count {
            heap[position] = last
            slots[last.slot].position = position
            rise(position)
            sink(slots[last.slot].position)
        }
        return payload
    }

    private mutating func rise(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child] < heap[parent] else { return }
            exchange(child, parent)
            child = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < heap[parent] else { return }
            exchange(child, parent)
            parent = child
        }
    }

    private mutating func exchange(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        slots[heap[a].slot].position = a
        slots[heap[b].slot].position = b
    }
}

extension TimerQueue.Entry: Sendable {}
extension TimerQueue.Slot: Sendable where Payload: Sendable {}
extension TimerQueue: Sendable where Payload: Sendable {}
