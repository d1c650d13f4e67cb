internal import MillraceBase

/// The timers of a loop: a binary heap by deadline. A cancelled timer stays in the heap, without
/// its body, until its time or until half of the heap is cancelled.
struct TimerHeap {
    private struct Entry {
        var deadline: Instant
        var id: UInt64
    }

    private var heap: [Entry] = []
    private var bodies: [UInt64: () -> Void] = [:]
    private var nextID: UInt64 = 1

    /// The earliest deadline, if there is a timer.
    mutating func nextDeadline() -> Instant? {
        while let first = heap.first, bodies[first.id] == nil { removeFirst() }
        return heap.first?.deadline
    }

    mutating func add(_ deadline: Instant, _ body: @escaping () -> Void) -> LoopTimerID {
        let id = nextID
        nextID += 1
        bodies[id] = body
        heap.append(Entry(deadline: deadline, id: id))
        siftUp(heap.count - 1)
        return LoopTimerID(rawValue: id)
    }

    mutating func cancel(_ timer: LoopTimerID) {
        bodies[timer.rawValue] = nil
        guard heap.count > 64, heap.count > 2 * bodies.count else { return }
        let live = heap.filter { bodies[$0.id] != nil }
        heap = []
        for entry in live {
            heap.append(entry)
            siftUp(heap.count - 1)
        }
    }

    /// Removes a timer that is due and gives its body.
    mutating func popDue(at now: Instant) -> (() -> Void)? {
        guard let deadline = nextDeadline(), deadline <= now, let first = heap.first else {
            return nil
        }
        removeFirst()
        return bodies.removeValue(forKey: first.id)
    }

    private mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && Self.isBefore(heap[child], heap[least]) {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private mutating func siftUp(_ index: Int) {
        var child = index
        while child > 0 {
            let parent = (child - 1) / 2
            guard Self.isBefore(heap[child], heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Of equal deadlines the older timer is first.
    private static func isBefore(_ a: Entry, _ b: Entry) -> Bool {
        a.deadline != b.deadline ? a.deadline < b.deadline : a.id < b.id
    }
}
