import MillraceBase
import MillraceRecords
import Testing

struct BatchTests {
    /// One record "k" → "v" at 1735689600000, as Apache Kafka's tests of Produce send it.
    static let recorded: [UInt8] = bytes(
        "00000000000000000000003affffffff020f2def31000000000000000001941f297c00"
            + "000001941f297c00ffffffffffffffffffffffffffff0000000110000000026b027600")

    @Test func aBatchIsBuiltAsKafkaBuildsIt() {
        var builder = BatchBuilder()
        builder.append(timestamp: Timestamp(1_735_689_600_000), key: [0x6B], value: [0x76])
        #expect(builder.finish() == Self.recorded)
    }

    @Test(arguments: CompressionCodec.allCases)
    func recordsComeBackAsTheyWereAppended(codec: CompressionCodec) throws {
        let contexts = CodecContexts()
        var builder = BatchBuilder(baseOffset: Offset(40), leaderEpoch: LeaderEpoch(3))
        let headers = [RecordHeader(key: "ü", value: nil), RecordHeader(key: "b", value: [1, 2])]
        for index in 0..<300 {
            builder.append(
                timestamp: Timestamp(1_000 - Int64(index)),
                key: index == 5 ? nil : [UInt8(index & 255)],
                value: index == 6 ? nil : Array(repeating: 9, count: index * 3),
                headers: index == 7 ? headers : [])
        }
        let batch = builder.finish(codec: codec, contexts: contexts)
        try batch.withUnsafeBytes { bytes in
            let header = try RecordBatchHeader(reading: bytes)
            try header.checkCRC(bytes)
            #expect(header.lastOffset == Offset(339))
            #expect(header.maxTimestamp == Timestamp(1_000))
            #expect(header.byteCount == batch.count)
            try RecordPayload.withRecords(of: header, in: bytes, contexts: contexts, limit: 1 << 20)
            {
                payload throws(RecordsError) in
                var iterator = RecordIterator(payload: payload, count: header.recordCount)
                var index = 0
                while let record = try iterator.next() {
                    #expect(record.offsetDelta == Int32(index))
                    #expect(record.key.map(Array.init) == (index == 5 ? nil : [UInt8(index & 255)]))
                    #expect(record.value?.count == (index == 6 ? nil : index * 3))
                    #expect(try record.headers() == (index == 7 ? headers : []))
                    #expect(header.timestamp(of: record) == Timestamp(1_000 - Int64(index)))
                    index += 1
                }
                #expect(index == 300)
                #expect(!iterator.hasTrailingBytes)
            }
        }
    }

    @Test func everyCutOfABatchIsAnErrorAndNeverATrap() {
        for length in 0..<Self.recorded.count {
            let cut = Array(Self.recorded.prefix(length))
            _ = cut.withUnsafeBytes { bytes in
                #expect(throws: RecordsError.self) { try BatchValidator.checkForm(bytes) }
            }
        }
    }

    @Test func sequencesGoFromTheLargestToZero() throws {
        var builder = BatchBuilder(
            producer: BatchProducer(id: 1, epoch: 0, baseSequence: .max - 1))
        for _ in 0..<4 { builder.append(timestamp: Timestamp(1), key: nil as [UInt8]?, value: [1]) }
        let batch = builder.finish()
        let header = try batch.withUnsafeBytes { try RecordBatchHeader(reading: $0) }
        #expect(header.lastSequence == 1)
    }

    static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8).map { $0 < 58 ? $0 - 48 : $0 - 87 }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
