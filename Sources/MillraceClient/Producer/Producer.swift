package import MillraceBase
package import MillraceClientCore
internal import MillraceNet

/// Where a record was written.
package struct RecordPosition: Hashable, Sendable {
    package var partition: NamedPartition
    /// `none` where the broker did not say: acks 0, or a repeat that it had written before.
    package var offset: Offset
}

/// What became of the records since the last flush.
package struct FlushSummary: Equatable, Sendable {
    package var delivered = 0
    package var failed = 0
    package var firstError: ClientError?

    package init() {}
}

/// Sends records to topics. Any task may use it; records of one task keep their order in each
/// partition.
///
/// What waits and what is on its way is bounded by `bufferBytes`: senders wait for room. Close it
/// when it is no longer needed: what was not flushed then is lost.
package final class Producer: Sendable {
    private let thread: ClientThread<ProducerDriver>
    private let buffer: SendBuffer
    private let partBytes: Int

    private init(
        thread: ClientThread<ProducerDriver>, buffer: SendBuffer, partBytes: Int
    ) {
        self.thread = thread
        self.partBytes = partBytes
        self.buffer = buffer
    }

    /// Starts a producer. It connects when it first has something to send.
    /// - Parameter observe: gets each batch's outcome, on the producer's thread: it must be short.
    /// - Throws: `.settings`.
    package static func open(
        _ client: ClientSettings, _ settings: ProducerSettings = ProducerSettings(),
        observe: (@Sendable (Delivery) -> Void)? = nil
    ) async throws(ClientError) -> Producer {
        let buffer = SendBuffer(limit: settings.bufferBytes)
        let seed = UInt64.random(in: 0 ... .max)
        let thread = try await ClientThread<ProducerDriver>.start(name: "producer") {
            loop throws(ClientError) in
            ProducerDriver(
                try Router(loop, client), settings, room: buffer, observe: observe, seed: seed)
        }
        return Producer(
            thread: thread, buffer: buffer, partBytes: max(settings.bufferBytes / 8, 1))
    }

    /// Hands records over and returns as soon as they have room; `flush` tells how they fared.
    /// - Throws: `.closed`.
    package func enqueue(_ records: [ProducerRecord]) async throws(ClientError) {
        for (part, size) in ProducerRecord.parts(of: records, bytesMax: partBytes) {
            try await buffer.admit(size)
            let tickets = [UInt64](repeating: 0, count: part.count)
            thread.post { $0.append(Self.some(part, of: records), tickets: tickets) }
            buffer.entered()
        }
    }

    /// Sends records and waits for all of them: each one's place or error, in their order.
    /// - Throws: `.closed`.
    package func send(
        _ records: [ProducerRecord]
    ) async throws(ClientError) -> [Result<RecordPosition, ClientError>] {
        var results: [Result<RecordPosition, ClientError>] = []
        for (part, size) in ProducerRecord.parts(of: records, bytesMax: partBytes) {
            try await buffer.admit(size)
            results += await withCheckedContinuation { continuation in
                let tickets = buffer.tickets(for: part.count, continuation)
                thread.post { $0.append(Self.some(part, of: records), tickets: tickets) }
                buffer.entered()
            }
        }
        return results
    }

    /// Sends one record and waits for it.
    package func send(_ record: ProducerRecord) async throws(ClientError) -> RecordPosition {
        guard let result = try await send([record]).first else { throw .closed }
        return try result.get()
    }

    /// Waits until nothing waits and nothing is on its way.
    /// - Returns: the outcome of all records since the last flush, those of `send` too.
    @discardableResult
    package func flush() async -> FlushSummary {
        await withCheckedContinuation { (flushed: CheckedContinuation<Void, Never>) in
            thread.post { driver in driver.flush { flushed.resume() } }
        }
        return buffer.takeSummary()
    }

    /// Flushes, then ends connections and thread. Nothing may be sent afterwards.
    @discardableResult
    package func close() async -> FlushSummary {
        await buffer.close()
        let summary = await flush()
        await withCheckedContinuation { (closed: CheckedContinuation<Void, Never>) in
            thread.post {
                $0.close()
                closed.resume()
            }
        }
        thread.stop()
        return summary
    }

    /// All of them as they are, which is what most callers hand over, or a copy of some.
    private static func some(
        _ part: Range<Int>, of records: [ProducerRecord]
    ) -> [ProducerRecord] {
        part == records.indices ? records : Array(records[part])
    }
}
