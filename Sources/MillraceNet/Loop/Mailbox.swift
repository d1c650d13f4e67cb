internal import Synchronization

/// Messages from any thread to one event loop: a lock held for an append or an array swap. The loop
/// empties it on every turn; a sender wakes the loop only if it sleeps.
///
/// There is no limit here: what is in a mailbox is bounded by what its senders may have under way
/// (requests in flight of all connections, tasks of a disk thread), and an answer must not be lost.
package final class Mailbox<Message: Sendable>: Sendable {
    private let queue = Mutex<[Message]>([])
    private let filled = Atomic<Bool>(false)
    private let waker: Waker

    package init(waker: Waker) { self.waker = waker }

    /// Gives a message to the loop. Any thread; the order of one sender is kept.
    package func post(_ message: Message) {
        let first = queue.withLock { queue in
            queue.append(message)
            return queue.count == 1
        }
        // Whoever filled the empty queue wakes; those behind find it done, or about to be done.
        if first { announce() }
    }

    /// Gives several messages at once, in order. Any thread.
    package func post(contentsOf messages: [Message]) {
        guard !messages.isEmpty else { return }
        let first = queue.withLock { queue in
            queue.append(contentsOf: messages)
            return queue.count == messages.count
        }
        if first { announce() }
    }

    private func announce() {
        filled.store(true, ordering: .sequentiallyConsistent)
        waker.wake()
    }

    /// Whether `take` would give anything. The loop's thread.
    package var isFilled: Bool { filled.load(ordering: .sequentiallyConsistent) }

    /// Swaps what has arrived into `messages`, which must be empty; its storage becomes the
    /// queue's. The loop's thread.
    package func take(into messages: inout [Message]) {
        precondition(messages.isEmpty, "messages would be lost")
        guard filled.exchange(false, ordering: .sequentiallyConsistent) else { return }
        // `messages` is not captured by the lock's closure as inout of another region: swap by
        // hand.
        var taken = queue.withLock { queue in
            let taken = queue
            queue = []
            return taken
        }
        swap(&messages, &taken)
    }
}
