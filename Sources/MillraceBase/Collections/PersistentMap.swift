/// A sorted map whose copies share what they have in common: a B+ tree of copy-on-write nodes.
///
/// A copy costs nothing; a change afterwards copies the path to one leaf, O(log n), and leaves the
/// copy as it was. A map that nobody shares is changed in place. Iteration is in key order, so
/// that it may reach an effect.
@usableFromInline
package struct PersistentMap<Key: Comparable, Value> {
    @usableFromInline package typealias Element = (key: Key, value: Value)

    @usableFromInline var root: PersistentMapNode<Key, Value>
    /// Number of entries.
    @usableFromInline package internal(set) var count: Int

    @inlinable
    package init() {
        root = PersistentMapNode()
        count = 0
    }

    @inlinable
    package init(_ elements: some Sequence<(Key, Value)>) {
        self.init()
        for (key, value) in elements { self[key] = value }
    }

    @inlinable package var isEmpty: Bool { count == 0 }

    @inlinable
    package subscript(key: Key) -> Value? {
        get { root.value(of: key) }
        set {
            if let newValue {
                updateValue(newValue, forKey: key)
            } else {
                removeValue(forKey: key)
            }
        }
    }

    @inlinable package func contains(_ key: Key) -> Bool { root.value(of: key) != nil }

    /// Sets the value of `key` and returns the former one.
    @inlinable @discardableResult
    package mutating func updateValue(_ value: Value, forKey key: Key) -> Value? {
        let former = root.update(value, of: key)
        if former == nil { count += 1 }
        splitRoot()
        return former
    }

    /// Changes the value of `key` where it lies, so that what the value holds is not copied for
    /// having a second owner. Nil if there is none.
    @inlinable @discardableResult
    package mutating func modify<R>(_ key: Key, _ body: (inout Value) -> R) -> R? {
        root.modify(key, body)
    }

    /// Changes the value of `key`, or `initial` if there is none, and keeps the result.
    @inlinable
    package mutating func modify(
        _ key: Key, default initial: @autoclosure () -> Value, _ body: (inout Value) -> Void
    ) {
        if root.modify(key, body) == nil {
            var value = initial()
            body(&value)
            updateValue(value, forKey: key)
        }
    }

    @inlinable @discardableResult
    package mutating func removeValue(forKey key: Key) -> Value? {
        guard let former = root.remove(key) else { return nil }
        count -= 1
        if root.children.count == 1, let only = root.children.first { root = only }
        return former
    }

    @inlinable
    mutating func splitRoot() {
        guard root.isOverfull else { return }
        var left = root
        let right = left.split()
        root = PersistentMapNode(
            keys: [left.keys[0], right.separator], children: [left, right.node])
    }

    /// The entry with the smallest key.
    @inlinable package var first: Element? {
        var iterator = makeIterator()
        return iterator.next()
    }

    /// The entry with the largest key.
    @inlinable package var last: Element? {
        var node = root
        while let child = node.children.last { node = child }
        guard let key = node.keys.last, let value = node.values.last else { return nil }
        return (key, value)
    }

    /// The entries from `key` on, in order.
    @inlinable
    package func elements(from key: Key) -> PersistentMapRange<Key, Value> {
        PersistentMapRange(map: self, from: key)
    }

    /// The keys in order.
    @inlinable package var keys: some Sequence<Key> { self.lazy.map { $0.key } }
    /// The values in order of their keys.
    @inlinable package var values: some Sequence<Value> { self.lazy.map { $0.value } }
}

extension PersistentMap: Sendable where Key: Sendable, Value: Sendable {}

extension PersistentMap: Equatable where Value: Equatable {
    @usableFromInline
    package static func == (a: Self, b: Self) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    }
}

extension PersistentMap: ExpressibleByDictionaryLiteral {
    @inlinable
    package init(dictionaryLiteral elements: (Key, Value)...) { self.init(elements) }
}

extension PersistentMap: Sequence {
    @inlinable
    package func makeIterator() -> PersistentMapIterator<Key, Value> {
        PersistentMapIterator(root: root)
    }

    @inlinable package var underestimatedCount: Int { count }
}

/// The entries of a map from a key on.
@usableFromInline
package struct PersistentMapRange<Key: Comparable, Value>: Sequence {
    @usableFromInline let map: PersistentMap<Key, Value>
    @usableFromInline let start: Key

    @inlinable
    init(map: PersistentMap<Key, Value>, from start: Key) {
        self.map = map
        self.start = start
    }

    @inlinable
    package func makeIterator() -> PersistentMapIterator<Key, Value> {
        PersistentMapIterator(root: map.root, from: start)
    }
}

/// Walks a map in key order; it holds the version that it was made from.
@usableFromInline
package struct PersistentMapIterator<Key: Comparable, Value>: IteratorProtocol {
    /// Nodes on the way down, each with the index of its next child (or entry, in a leaf).
    @usableFromInline var path: [(node: PersistentMapNode<Key, Value>, next: Int)] = []

    @inlinable
    init(root: PersistentMapNode<Key, Value>) { descend(root) }

    @inlinable
    init(root: PersistentMapNode<Key, Value>, from key: Key) {
        var node = root
        while !node.isLeaf {
            let child = node.childIndex(of: key)
            path.append((node, child + 1))
            node = node.children[child]
        }
        path.append((node, node.lowerBound(of: key)))
    }

    @inlinable
    mutating func descend(_ start: PersistentMapNode<Key, Value>) {
        var node = start
        while let child = node.children.first {
            path.append((node, 1))
            node = child
        }
        path.append((node, 0))
    }

    @inlinable
    package mutating func next() -> (key: Key, value: Value)? {
        while let (node, next) = path.last {
            let top = path.count - 1
            if node.isLeaf {
                if next < node.keys.count {
                    path[top].next = next + 1
                    return (node.keys[next], node.values[next])
                }
                path.removeLast()
            } else if next < node.children.count {
                path[top].next = next + 1
                descend(node.children[next])
            } else {
                path.removeLast()
            }
        }
        return nil
    }
}
