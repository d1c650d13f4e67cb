import MillraceBase
import MillraceClient
import MillraceClientCore
import Synchronization
import TestSupport
import Testing

/// Our own idempotent producer while the node is killed, and our own consumer afterwards.
struct ProducerKillTests {
    private static let partitions: Int32 = 3
    private static let kills = 3

    /// How far one sender has come: the records that the node has acknowledged.
    private final class Progress: Sendable {
        let acknowledged = Mutex<[Int]>([])
        let isEnding = Atomic(false)
    }

    @Test func whatIsAcknowledgedIsThereOnceAndInOrderThoughTheNodeIsKilled() async throws {
        let node = try await LocalNode.start(tls: false)
        do {
            try await run(node)
        } catch {
            await node.remove()
            throw error
        }
        await node.remove()
    }

    private func run(_ node: LocalNode) async throws {
        let client = try ClientSettings(bootstrap: node.plaintext)
        let admin = try await Admin.open(client)
        try await admin.createTopic(NewTopic("numbers", partitions: Self.partitions))
        await admin.close()
        let progress = (0..<Self.partitions).map { _ in Progress() }
        var settings = ProducerSettings()
        settings.linger = .milliseconds(1)
        let producer = try await Producer.open(client, settings)
        try await withThrowingTaskGroup { group in
            for (partition, own) in zip(Int32(0)..., progress) {
                group.addTask { try await Self.send(producer, to: partition, own) }
            }
            for _ in 0..<Self.kills {
                try await Self.waitForMore(progress)
                try await node.local("kill")
                try await node.local("start")
            }
            try await Self.waitForMore(progress)
            for own in progress { own.isEnding.store(true, ordering: .relaxed) }
            try await group.waitForAll()
        }
        let summary = await producer.close()
        #expect(summary.failed == 0, "\(summary.firstError.map(\.description) ?? "")")
        let found = try await read(client)
        for (partition, own) in zip(Int32(0)..., progress) {
            let sent = own.acknowledged.withLock { $0 }
            let numbers = found[partition] ?? []
            // Whole lists in a failure would be unreadable.
            let isSame = numbers == sent
            #expect(isSame, "partition \(partition): \(numbers.count) of \(sent.count) records")
            #expect(sent.count > Self.kills)
        }
    }

    /// Sends numbers from 0 on, some at once, and notes those that were acknowledged.
    private static func send(
        _ producer: Producer, to partition: Int32, _ progress: Progress
    ) async throws {
        var next = 0
        while !progress.isEnding.load(ordering: .relaxed), !Task.isCancelled {
            let numbers = next..<next + 20
            next += 20
            let results = try await producer.send(
                numbers.map { number in
                    ProducerRecord(
                        topic: "numbers", partition: partition, value: Array("\(number)".utf8))
                })
            let taken = zip(numbers, results).compactMap { number, result in
                if case .success = result { number } else { nil }
            }
            progress.acknowledged.withLock { $0 += taken }
        }
    }

    /// Waits until each partition has had records acknowledged that it had not before.
    private static func waitForMore(_ progress: [Progress]) async throws {
        let before = progress.map { own in own.acknowledged.withLock { $0.count } }
        let end = ContinuousClock.now + .seconds(60)
        while zip(progress, before).contains(where: { own, count in
            own.acknowledged.withLock { $0.count } < count + 200
        }) {
            try #require(.now < end, "nothing is acknowledged any more")
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// The numbers of each partition, as they stand there.
    private func read(_ client: ClientSettings) async throws -> [Int32: [Int]] {
        let consumer = try await Consumer.open(client)
        let all = (0..<Self.partitions).map { NamedPartition("numbers", $0) }
        try await consumer.assign(Dictionary(uniqueKeysWithValues: all.map { ($0, .earliest) }))
        var found: [Int32: [Int]] = [:]
        let end = ContinuousClock.now + .seconds(60)
        while !consumer.isAtEnd {
            try #require(.now < end, "the end is not reached")
            for record in try await consumer.poll(max: 10_000) {
                let text = String(decoding: record.value ?? [], as: UTF8.self)
                found[record.partition.index, default: []].append(try #require(Int(text)))
            }
        }
        await consumer.close()
        return found
    }
}
