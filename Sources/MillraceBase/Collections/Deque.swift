/// A queue with two ends in a ring that grows: adding and taking at either end is O(1).
@usableFromInline
package struct Deque<Element> {
    @usableFromInline var slots: [Element?] = []
    /// Index of the first element in `slots`.
    @usableFromInline var head = 0
    @usableFromInline package internal(set) var count = 0

    @inlinable package init() {}

    @inlinable
    package init(_ elements: some Sequence<Element>) {
        for element in elements { append(element) }
    }

    @inlinable package var isEmpty: Bool { count == 0 }
    @inlinable package var first: Element? { count == 0 ? nil : slots[head] }
    @inlinable package var last: Element? { count == 0 ? nil : slots[place(count - 1)] }

    /// The slot of the element at `index`; slots are a power of two.
    @inlinable func place(_ index: Int) -> Int { (head + index) & (slots.count - 1) }

    @inlinable
    mutating func grow() {
        guard count == slots.count else { return }
        var larger: [Element?] = []
        larger.reserveCapacity(Swift.max(8, count * 2))
        for index in 0..<count { larger.append(slots[place(index)]) }
        while larger.count < Swift.max(8, count * 2) { larger.append(nil) }
        slots = larger
        head = 0
    }

    @inlinable
    package mutating func append(_ element: Element) {
        grow()
        slots[place(count)] = element
        count += 1
    }

    @inlinable
    package mutating func prepend(_ element: Element) {
        grow()
        head = (head + slots.count - 1) & (slots.count - 1)
        slots[head] = element
        count += 1
    }

    @inlinable
    package mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head]
        slots[head] = nil
        head = place(1)
        count -= 1
        return element
    }

    @inlinable
    package mutating func popLast() -> Element? {
        guard count > 0 else { return nil }
        let index = place(count - 1)
        let element = slots[index]
        slots[index] = nil
        count -= 1
        return element
    }

    @inlinable
    package mutating func removeAll() {
        slots = []
        head = 0
        count = 0
    }
}

extension Deque: RandomAccessCollection {
    @inlinable package var startIndex: Int { 0 }
    @inlinable package var endIndex: Int { count }

    @inlinable
    package subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count, "an index lies within the queue")
            return slots[place(index)].unsafelyUnwrapped
        }
        set {
            precondition(index >= 0 && index < count, "an index lies within the queue")
            slots[place(index)] = newValue
        }
    }
}

extension Deque: Sendable where Element: Sendable {}
