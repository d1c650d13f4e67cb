import Foundation
import MillraceBase
import MillraceProtocol
import MillraceRecords
import TestSupport
import Testing

/// Frames that no client would send, against a live node: each is answered or its connection
/// closed, memory stays bounded, the process lives and serves.
struct FuzzTests {
    /// What resident memory may grow by.
    private static let growthMax = 512 << 20

    @Test func hostileFramesAreAnsweredOrTheirConnectionsClosed() async throws {
        try await fuzz(seed: 1) { sent, _ in sent < 3000 }
    }

    @Test(.enabled(if: Soak.minutes != nil, "make soak"))
    func soakHostileFrames() async throws {
        let length = Soak.length(share: 0.25)
        let seed = UInt64(Date.now.timeIntervalSince1970)
        try await fuzz(seed: seed) { _, elapsed in elapsed < length }
    }

    private func fuzz(seed: UInt64, while goesOn: (Int, Duration) -> Bool) async throws {
        let node = try await LocalNode.start(tls: false)
        do {
            try attack(node, seed: seed, while: goesOn)
        } catch {
            await node.remove()
            throw error
        }
        await node.remove()
    }

    private func attack(
        _ node: LocalNode, seed: UInt64, while goesOn: (Int, Duration) -> Bool
    ) throws {
        let port = try #require(node.plaintext.split(separator: ":").last.flatMap { UInt16($0) })
        let pid = try node.processID()
        try ask(port, createTopic())
        let bombs = try [CompressionCodec.gzip, .snappy, .lz4, .zstd].map { try bomb($0) }
        var fuzzer = FrameFuzzer(
            seed: seed, recordings: try recordings(), bombs: bombs, vocabulary: ["fuzz", "g"])
        let before = try residentBytes(pid)
        var waiting: [TestConnection] = []
        var sent = 0
        let start = ContinuousClock.now
        while goesOn(sent, .now - start) {
            let (kind, bytes) = fuzzer.next()
            let connection = try TestConnection(port: port)
            connection.send(bytes)
            sent += 1
            if kind == .sizeBomb {
                // What is promised never comes: these stay open beside the others.
                waiting.append(connection)
                if waiting.count > 64 { waiting.removeFirst().close() }
                continue
            }
            connection.finish()
            let settled = connection.drain(seconds: 20)
            connection.close()
            try #require(settled, "frame \(sent) (\(kind)) of seed \(seed): neither answer nor end")
            if sent % 250 == 0 { try check(port, pid, before, sent) }
        }
        for connection in waiting { connection.close() }
        try check(port, pid, before, sent)
        let growth = try residentBytes(pid) - before
        print("\(sent) frames of seed \(seed): resident memory grew by \(growth >> 20) MiB")
    }

    private func check(_ port: UInt16, _ pid: Int32, _ before: Int, _ sent: Int) throws {
        try #require(kill(pid, 0) == 0, "the node died within \(sent) frames")
        let growth = try residentBytes(pid) - before
        try #require(
            growth <= Self.growthMax, "resident memory grew by \(growth >> 20) MiB")
        var writer = ByteWriter()
        try writer.writeRequest(
            ApiVersionsRequest(), api: .apiVersions, version: 0, correlationID: 1, clientID: "fuzz")
        try ask(port, writer.array())
    }

    /// Sends a frame and expects an answer.
    private func ask(_ port: UInt16, _ frame: [UInt8]) throws {
        let connection = try TestConnection(port: port)
        defer { connection.close() }
        connection.send(frame)
        try #require(connection.answers(seconds: 20), "no answer to a right request")
    }

    private func residentBytes(_ pid: Int32) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(line.split(separator: " ").dropLast().last.flatMap { Int($0) }) << 10
    }

    private func createTopic() throws -> [UInt8] {
        var topic = CreateTopicsRequest.Topic()
        (topic.name, topic.numPartitions, topic.replicationFactor) = ("fuzz", 1, 1)
        var request = CreateTopicsRequest()
        (request.topics, request.timeoutMs) = ([topic], 10_000)
        var writer = ByteWriter()
        try writer.writeRequest(
            request, api: .createTopics, version: 7, correlationID: 1, clientID: "fuzz")
        return writer.array()
    }

    /// A Produce request of some hundred kilobytes whose record is of 128 MiB.
    private func bomb(_ codec: CompressionCodec) throws -> [UInt8] {
        var builder = BatchBuilder(capacity: 130 << 20)
        builder.append(
            timestamp: Timestamp(rawValue: 1_735_689_600_000), key: nil,
            value: [UInt8](repeating: 0, count: 128 << 20))
        var partition = ProduceRequest.TopicData.PartitionData()
        partition.records = .bytes(builder.finish(codec: codec))
        var topic = ProduceRequest.TopicData()
        (topic.name, topic.partitionData) = ("fuzz", [partition])
        var request = ProduceRequest()
        (request.acks, request.timeoutMs, request.topicData) = (-1, 10_000, [topic])
        var writer = ByteWriter()
        try writer.writeRequest(
            request, api: .produce, version: 9, correlationID: 1, clientID: "fuzz")
        return writer.array()
    }

    private func recordings() throws -> [[UInt8]] {
        try Recordings.trafficFiles().flatMap { file in
            let packed = try Data(contentsOf: file)
            let text = try packed.withUnsafeBytes {
                try CodecContexts().decompress($0, codec: .zstd, limit: 64 << 20)
            }
            return try Recordings.frames(of: text, file: file.lastPathComponent)
                .filter(\.isRequest).map(\.bytes)
        }
    }
}
