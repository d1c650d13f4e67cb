/// A node of a `PersistentMap`. A leaf has keys and values; an inner node has children and, for
/// each, a key that none of its entries is below (the first child's is not looked at).
///
/// The arrays are the sharing: copying a node copies three references, and changing one that is
/// shared copies its own arrays only.
@usableFromInline
struct PersistentMapNode<Key: Comparable, Value> {
    @usableFromInline var keys: [Key]
    @usableFromInline var values: [Value]
    @usableFromInline var children: [PersistentMapNode]

    /// Chosen for the cost of copying one node: about 24 entries on average, four levels for a
    /// million keys.
    @inlinable static var capacity: Int { 32 }
    @inlinable static var minimum: Int { 8 }

    @inlinable
    init() {
        keys = []
        values = []
        children = []
    }

    @inlinable
    init(keys: [Key], children: [PersistentMapNode]) {
        self.keys = keys
        self.children = children
        values = []
    }

    @inlinable
    init(keys: [Key], values: [Value], children: [PersistentMapNode]) {
        self.keys = keys
        self.values = values
        self.children = children
    }

    @inlinable var isLeaf: Bool { children.isEmpty }
    @inlinable var isOverfull: Bool { keys.count > Self.capacity }

    /// Index of the first key that is not below `key`.
    @inlinable
    func lowerBound(of key: Key) -> Int {
        var (low, high) = (0, keys.count)
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Index of the child that holds `key` if any does.
    @inlinable
    func childIndex(of key: Key) -> Int {
        var (low, high) = (1, keys.count)
        while low < high {
            let middle = (low + high) / 2
            if key < keys[middle] { high = middle } else { low = middle + 1 }
        }
        return low - 1
    }

    @inlinable
    func value(of key: Key) -> Value? {
        if !isLeaf { return children[childIndex(of: key)].value(of: key) }
        let index = lowerBound(of: key)
        return index < keys.count && keys[index] == key ? values[index] : nil
    }

    /// Sets a value; the node may be overfull afterwards, and its parent splits it.
    @inlinable
    mutating func update(_ value: Value, of key: Key) -> Value? {
        if isLeaf {
            let index = lowerBound(of: key)
            if index < keys.count, keys[index] == key {
                let former = values[index]
                values[index] = value
                return former
            }
            keys.insert(key, at: index)
            values.insert(value, at: index)
            return nil
        }
        let index = childIndex(of: key)
        let former = children[index].update(value, of: key)
        if children[index].isOverfull {
            let right = children[index].split()
            keys.insert(right.separator, at: index + 1)
            children.insert(right.node, at: index + 1)
        }
        return former
    }

    @inlinable
    mutating func modify<R>(_ key: Key, _ body: (inout Value) -> R) -> R? {
        if !isLeaf { return children[childIndex(of: key)].modify(key, body) }
        let index = lowerBound(of: key)
        guard index < keys.count, keys[index] == key else { return nil }
        return body(&values[index])
    }

    /// Cuts the node in two: it keeps the left half and returns the right one, with a key that
    /// parts them.
    @inlinable
    mutating func split() -> (separator: Key, node: PersistentMapNode) {
        let middle = keys.count / 2
        let right = PersistentMapNode(
            keys: Array(keys[middle...]),
            values: isLeaf ? Array(values[middle...]) : [],
            children: isLeaf ? [] : Array(children[middle...]))
        if isLeaf {
            values.removeSubrange(middle...)
        } else {
            children.removeSubrange(middle...)
        }
        keys.removeSubrange(middle...)
        return (right.keys[0], right)
    }

    /// Removes a key; the node may be too small afterwards, and its parent joins it with another.
    @inlinable
    mutating func remove(_ key: Key) -> Value? {
        if isLeaf {
            let index = lowerBound(of: key)
            guard index < keys.count, keys[index] == key else { return nil }
            keys.remove(at: index)
            return values.remove(at: index)
        }
        let index = childIndex(of: key)
        guard let former = children[index].remove(key) else { return nil }
        if children[index].keys.count < Self.minimum, children.count > 1 {
            join(max(index, 1))
        }
        return former
    }

    /// Joins the child at `index` with the one before it, and splits the two anew if they are too
    /// much for one.
    @inlinable
    mutating func join(_ index: Int) {
        var right = children.remove(at: index)
        let separator = keys.remove(at: index)
        // The first key of an inner node is not kept up: the parent's is the true one.
        if !right.isLeaf { right.keys[0] = separator }
        children[index - 1].keys += right.keys
        children[index - 1].values += right.values
        children[index - 1].children += right.children
        if children[index - 1].isOverfull {
            let half = children[index - 1].split()
            keys.insert(half.separator, at: index)
            children.insert(half.node, at: index)
        }
    }
}

extension PersistentMapNode: Sendable where Key: Sendable, Value: Sendable {}

extension PersistentMap {
    /// How many of this map's nodes `other` does not share: what a change copied. For tests.
    package func nodesNotShared(with other: PersistentMap) -> Int {
        var known: Set<UnsafeRawPointer> = []
        other.root.visit { known.insert($0) }
        var count = 0
        root.visit { if !known.contains($0) { count += 1 } }
        return count
    }

    /// Levels of the tree. For tests.
    package var depth: Int {
        var (node, depth) = (root, 1)
        while let child = node.children.first { (node, depth) = (child, depth + 1) }
        return depth
    }
}

extension PersistentMapNode {
    /// Calls `body` with an address that identifies each node's storage.
    fileprivate func visit(_ body: (UnsafeRawPointer) -> Void) {
        if isLeaf {
            values.withUnsafeBytes { if let base = $0.baseAddress { body(base) } }
        } else {
            children.withUnsafeBytes { if let base = $0.baseAddress { body(base) } }
        }
        for child in children { child.visit(body) }
    }
}
