import MillraceBase
import MillraceClient
import MillraceClientCore
import MillraceProtocol
import MillraceRecords
import TestSupport
import Testing

/// Producers and consumers against a node that runs as a process.
@Suite(.localNode(), .serialized) struct ProduceConsumeTests {
    private func node() throws -> LocalNode { try #require(LocalNode.current) }

    private func plaintext() throws -> ClientSettings {
        try ClientSettings(bootstrap: try node().plaintext)
    }

    private func tls() throws -> ClientSettings {
        var settings = try ClientSettings(bootstrap: try node().tls)
        settings.useTLS(authority: try node().ca)
        return settings
    }

    private func records(_ topic: String, _ count: Int) -> [ProducerRecord] {
        (0..<count).map { index -> ProducerRecord in
            let text = "value \(index), and some text that can be compressed"
            let key: [UInt8]? = index % 3 == 0 ? nil : [UInt8(index % 251)]
            let headers = [RecordHeader(key: "h", value: [1])]
            return ProducerRecord(
                topic: topic, partition: 0, key: key, value: Array(text.utf8),
                headers: index % 10 == 0 ? headers : [])
        }
    }

    /// Polls until so many records have come or 20 seconds are over.
    private func read(_ consumer: Consumer, _ count: Int) async throws -> [ConsumerRecord] {
        var found: [ConsumerRecord] = []
        for _ in 0..<20 where found.count < count {
            found += try await consumer.poll(max: 1000, timeout: .milliseconds(500))
        }
        return found
    }

    private func check(
        _ client: ClientSettings, _ codec: CompressionCodec, topic: String, count: Int
    ) async throws {
        var settings = ProducerSettings()
        settings.codec = codec
        let producer = try await Producer.open(client, settings)
        let sent = records(topic, count)
        try await producer.enqueue(sent)
        let summary = await producer.close()
        #expect(summary.firstError == nil)
        #expect(summary.delivered == count)
        let consumer = try await Consumer.open(client)
        try await consumer.assign([NamedPartition(topic, 0): .earliest])
        let found = try await read(consumer, count)
        let offsets = found.map { Int($0.offset.rawValue) }
        let dense = offsets == Array(0..<count)
        #expect(dense)
        // Whole lists in a failure would be unreadable.
        let same = zip(found, sent).allSatisfy {
            $0.key == $1.key && $0.value == $1.value && $0.headers == $1.headers
        }
        #expect(same && found.count == count)
        await consumer.close()
    }

    @Test(arguments: CompressionCodec.allCases)
    func recordsComeBackAsTheyWereSent(codec: CompressionCodec) async throws {
        try await check(plaintext(), codec, topic: "plain-\(codec.name)", count: 2500)
    }

    @Test(arguments: CompressionCodec.allCases)
    func recordsComeBackOverTLS(codec: CompressionCodec) async throws {
        try await check(tls(), codec, topic: "tls-\(codec.name)", count: 500)
    }

    @Test func eachRecordsPlaceIsTold() async throws {
        let producer = try await Producer.open(try plaintext())
        let results = try await producer.send(records("places", 10))
        let offsets = try results.map { Int(try $0.get().offset.rawValue) }
        #expect(offsets == Array(0..<10))
        await #expect(throws: ClientError.self) {
            try await producer.send(
                ProducerRecord(topic: "places", partition: 77, value: [1]))
        }
        await producer.close()
        await #expect(throws: ClientError.closed) {
            try await producer.send(records("places", 1))
        }
    }

    @Test func aSmallBufferHoldsSendersBack() async throws {
        var settings = ProducerSettings()
        settings.bufferBytes = 4096
        let producer = try await Producer.open(try plaintext(), settings)
        try await producer.enqueue(records("backpressure", 3000))
        let summary = await producer.close()
        #expect(summary.delivered == 3000 && summary.failed == 0)
    }

    /// Whoever waits for room when it is closed is told, and what was let in is delivered.
    @Test(.timeLimit(.minutes(1))) func closingForgetsNoSender() async throws {
        var all = 0
        for _ in 0..<20 {
            var settings = ProducerSettings()
            settings.bufferBytes = 4096
            let producer = try await Producer.open(try plaintext(), settings)
            all += try await withThrowingTaskGroup(of: Int.self) { group in
                for sender in 0..<8 {
                    let batch = records("closing-\(sender)", 20)
                    group.addTask {
                        var taken = 0
                        do throws(ClientError) {
                            while true {
                                for result in try await producer.send(batch) {
                                    _ = try result.get()
                                    taken += 1
                                }
                            }
                        } catch {
                            #expect(error == .closed)
                        }
                        return taken
                    }
                }
                try await Task.sleep(for: .milliseconds(30))
                await producer.close()
                return try await group.reduce(0, +)
            }
        }
        #expect(all > 0)
    }

    @Test func aForeignAuthorityIsRefused() async throws {
        var client = try tls()
        // A certificate of nobody's authority here.
        let other = try await LocalNode.start()
        client.useTLS(authority: other.ca)
        await expectFailure(client) { $0.contains("certificate") }
        await other.remove()
    }

    @Test func nobodyAtTheAddressIsAnErrorWithinTheTime() async throws {
        var client = try ClientSettings(bootstrap: "127.0.0.1:1")
        client.requestTimeout = .seconds(2)
        let start = ContinuousClock.now
        await expectFailure(client) { _ in true }
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    private func expectFailure(
        _ client: ClientSettings, _ matches: (String) -> Bool
    ) async {
        do {
            let admin = try await Admin.open(client)
            do {
                _ = try await admin.listTopics()
                Issue.record("it was served")
            } catch {
                #expect(matches(error.description), "\(error)")
            }
            await admin.close()
            var settings = ProducerSettings()
            settings.deliveryTimeout = .seconds(1)
            let producer = try await Producer.open(client, settings)
            let results = try await producer.send(records("refused", 1))
            #expect(results.count == 1)
            if case .success? = results.first { Issue.record("it was written") }
            await producer.close()
        } catch { Issue.record("\(error)") }
    }

    @Test func aSeekGoesBack() async throws {
        let producer = try await Producer.open(try plaintext())
        try await producer.enqueue(records("seek", 20))
        await producer.close()
        let consumer = try await Consumer.open(try plaintext())
        let partition = NamedPartition("seek", 0)
        try await consumer.assign([partition: .offset(Offset(5))])
        #expect(try await read(consumer, 15).first?.offset == Offset(5))
        _ = try await consumer.poll(timeout: .seconds(2))
        #expect(consumer.isAtEnd)
        try await consumer.seek(partition, to: .offset(Offset(18)))
        #expect(try await read(consumer, 2).map(\.offset) == [Offset(18), Offset(19)])
        #expect(consumer.positions == [partition: Offset(20)])
        await consumer.close()
    }

    @Test func aGroupSharesPartitionsAndGoesOnWhereItCommitted() async throws {
        let admin = try await Admin.open(try plaintext())
        try await admin.createTopic(NewTopic("shared", partitions: 4))
        await admin.close()
        let producer = try await Producer.open(try plaintext())
        let sent = (0..<40).map { (number: Int) -> ProducerRecord in
            ProducerRecord(topic: "shared", partition: Int32(number % 4), value: [UInt8(number)])
        }
        for result in try await producer.send(sent) { _ = try result.get() }
        var settings = ConsumerSettings()
        settings.reset = .earliest
        var group = GroupSettings(groupID: "sharers")
        group.heartbeatInterval = .milliseconds(200)
        let first = try await Consumer.open(try plaintext(), settings, group: group)
        try await first.subscribe(["shared"])
        #expect(try await read(first, 40).count == 40)
        try await first.commit()
        let second = try await Consumer.open(try plaintext(), settings, group: group)
        try await second.subscribe(["shared"])
        for _ in 0..<100 where second.assignment.count != 2 || first.assignment.count != 2 {
            _ = try await first.poll(timeout: .milliseconds(100))
            _ = try await second.poll(timeout: .milliseconds(100))
        }
        #expect(first.assignment.count == 2 && second.assignment.count == 2)
        #expect(first.assignment.isDisjoint(with: second.assignment))
        await first.close()
        for _ in 0..<100 where second.assignment.count != 4 {
            // What was committed does not come again.
            #expect(try await second.poll(timeout: .milliseconds(100)).isEmpty)
        }
        for result in try await producer.send(sent) { _ = try result.get() }
        #expect(try await read(second, 40).count == 40)
        await second.close()
        await producer.close()
    }

    @Test func aRebalanceCommitsWhatEarlierPollsGave() async throws {
        let admin = try await Admin.open(try plaintext())
        try await admin.createTopic(NewTopic("handed", partitions: 1))
        let producer = try await Producer.open(try plaintext())
        let sent = (0..<10).map { (number: Int) -> ProducerRecord in
            ProducerRecord(topic: "handed", partition: 0, value: [UInt8(number)])
        }
        for result in try await producer.send(sent) { _ = try result.get() }
        await producer.close()
        var settings = ConsumerSettings()
        settings.reset = .earliest
        var group = GroupSettings(groupID: "handers")
        group.heartbeatInterval = .milliseconds(200)
        group.commitsOnRevoke = true
        let first = try await Consumer.open(try plaintext(), settings, group: group)
        try await first.subscribe(["handed"])
        #expect(try await read(first, 10).count == 10)
        // Who polls again is done with what the last poll gave.
        _ = try await first.poll(timeout: .milliseconds(10))
        let second = try await Consumer.open(try plaintext(), settings, group: group)
        try await second.subscribe(["handed"])
        for _ in 0..<100 where !second.isMember {
            #expect(try await second.poll(timeout: .milliseconds(100)).isEmpty)
        }
        let committed = try await admin.committedOffsets(of: "handers")
        #expect(
            committed.values.map(\.offset) == [Offset(10)], "nobody committed but the rebalance")
        for consumer in [first, second] { await consumer.close() }
        await admin.close()
    }
}
