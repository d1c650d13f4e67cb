/// What a connection has still to send: pieces of memory and of files, in order.
struct OutputQueue {
    /// Small answers are joined up to this size, so that a burst is one piece.
    static let joinedBytesMax = 16 * 1024

    /// Memory if `descriptor` is negative, else `count` bytes of a file from `position`.
    struct Piece {
        var bytes: [UInt8]
        var position: Int64
        var count: Int
        var descriptor: Int32
        var owner: AnyObject?

        var isFile: Bool { descriptor >= 0 }
    }

    private(set) var pieces: [Piece] = []
    private(set) var head = 0
    /// What is left of all pieces.
    private(set) var byteCount = 0

    var isEmpty: Bool { head == pieces.count }

    mutating func append(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        byteCount += bytes.count
        if joins(bytes.count) {
            let last = pieces.count - 1
            pieces[last].bytes.append(contentsOf: bytes)
            pieces[last].count += bytes.count
        } else {
            pieces.append(
                Piece(bytes: bytes, position: 0, count: bytes.count, descriptor: -1, owner: nil))
        }
    }

    mutating func append(copying bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else { return }
        guard joins(bytes.count) else { return append([UInt8](bytes)) }
        byteCount += bytes.count
        let last = pieces.count - 1
        pieces[last].bytes.append(contentsOf: bytes)
        pieces[last].count += bytes.count
    }

    mutating func append(file descriptor: Int32, offset: Int64, count: Int, owner: AnyObject) {
        byteCount += count
        pieces.append(
            Piece(
                bytes: [], position: offset, count: count, descriptor: descriptor, owner: owner))
    }

    private func joins(_ count: Int) -> Bool {
        guard head < pieces.count, let last = pieces.last, !last.isFile else { return false }
        return last.bytes.count + count <= Self.joinedBytesMax
    }

    /// Drops what has been sent.
    mutating func advance(_ count: Int) {
        precondition(count <= byteCount, "more was sent than was there")
        byteCount -= count
        var left = count
        while left > 0 {
            let taken = min(left, pieces[head].count)
            pieces[head].count -= taken
            pieces[head].position += Int64(taken)
            left -= taken
            if pieces[head].count == 0 { dropHead() }
        }
    }

    private mutating func dropHead() {
        pieces[head].bytes = []
        pieces[head].owner = nil
        head += 1
        if head == pieces.count {
            // An idle connection keeps nothing.
            pieces.removeAll(keepingCapacity: pieces.capacity <= 4)
            head = 0
        } else if head >= 64, head * 2 >= pieces.count {
            pieces.removeSubrange(..<head)
            head = 0
        }
    }

    mutating func removeAll() {
        pieces = []
        head = 0
        byteCount = 0
    }

    /// Calls `body` with the memory pieces from the head on, at most `room` and none behind a file;
    /// the pointers are valid during the call.
    func withVectors<Result>(
        _ vectors: (Int, UnsafeRawBufferPointer) -> Void, room: Int,
        _ body: (_ count: Int, _ fileFollows: Bool) -> Result
    ) -> Result {
        gather(head, 0, vectors, room, body)
    }

    private func gather<Result>(
        _ index: Int, _ count: Int, _ vectors: (Int, UnsafeRawBufferPointer) -> Void, _ room: Int,
        _ body: (Int, Bool) -> Result
    ) -> Result {
        guard index < pieces.count, count < room else { return body(count, false) }
        guard !pieces[index].isFile else { return body(count, true) }
        let start = Int(pieces[index].position)
        return pieces[index].bytes.withUnsafeBytes { bytes in
            vectors(count, UnsafeRawBufferPointer(rebasing: bytes[start...]))
            return gather(index + 1, count + 1, vectors, room, body)
        }
    }
}
