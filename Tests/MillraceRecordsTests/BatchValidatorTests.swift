import MillraceBase
import MillraceRecords
import Testing

/// The answers are those recorded from Apache Kafka 4.3.1 for the same batches.
struct BatchValidatorTests {
    static let now = Timestamp(1_795_488_378_364)

    private func validate(
        _ batch: [UInt8], _ rules: AppendRules = AppendRules()
    ) throws(RecordsError) -> (ValidatedBatch, [UInt8]) {
        var bytes = batch
        let contexts = CodecContexts()
        let result = bytes.withUnsafeMutableBytes {
            buffer -> Result<ValidatedBatch, RecordsError> in
            do throws(RecordsError) {
                let header = try BatchValidator.checkForm(UnsafeRawBufferPointer(buffer))
                return .success(
                    try BatchValidator.validate(
                        header, in: buffer, rules: rules, now: Self.now, contexts: contexts))
            } catch { return .failure(error) }
        }
        let validated = try result.get()
        return (validated, validated.replacement ?? bytes)
    }

    private func error(_ batch: [UInt8], _ rules: AppendRules = AppendRules()) -> RecordsError? {
        do throws(RecordsError) {
            _ = try validate(batch, rules)
            return nil
        } catch { return error }
    }

    /// Changes bytes of the recorded batch and mends its CRC.
    private func changed(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
        var batch = BatchTests.recorded
        change(&batch)
        batch.withUnsafeMutableBytes { RecordBatchHeader.restampCRC($0, byteCount: $0.count) }
        return batch
    }

    @Test func theRecordedBatchPassesUnchanged() throws {
        let (validated, bytes) = try validate(BatchTests.recorded)
        #expect(validated.replacement == nil)
        #expect(bytes == BatchTests.recorded)
    }

    @Test func wrongMagicSizeAndCRCAreToldApart() {
        var batch = BatchTests.recorded
        batch[17] ^= 1
        guard case .corrupt = error(batch) else { return #expect(Bool(false), "bad CRC") }
        for magic: UInt8 in [3, 0xFF] {
            guard case .corrupt = error(changed { $0[16] = magic }) else {
                return #expect(Bool(false), "magic \(magic)")
            }
        }
        for magic: UInt8 in [0, 1] {
            guard case .refused = error(changed { $0[16] = magic }) else {
                return #expect(Bool(false), "magic \(magic)")
            }
        }
        for length: UInt8 in [0, 13, 48] {
            guard case .corrupt = error(changed { $0[11] = length }) else {
                return #expect(Bool(false), "length \(length)")
            }
        }
        guard case .refused = error(BatchTests.recorded + BatchTests.recorded) else {
            return #expect(Bool(false), "two batches")
        }
    }

    @Test(arguments: [(26, 3), (60, 2), (60, 0), (7, 100), (50, 5)])
    func contradictingHeadersAreInvalid(position: Int, value: Int) {
        let batch = changed {
            $0[position] = UInt8(value)
            if position == 50 { for index in 43..<50 { $0[index] = 0 } }  // a producer id alone
        }
        guard case .invalid = error(batch) else { return #expect(Bool(false), "at \(position)") }
    }

    @Test func aWrongLargestTimestampIsMended() throws {
        let (validated, bytes) = try validate(changed { $0[42] = 99 })
        #expect(validated.header.maxTimestamp == Timestamp(1_735_689_600_000))
        #expect(bytes == BatchTests.recorded)
    }

    @Test func logAppendTimeIsStampedAndTheCRCFollows() throws {
        var rules = AppendRules()
        rules.isLogAppendTime = true
        let (validated, bytes) = try validate(BatchTests.recorded, rules)
        #expect(validated.header.attributes.isLogAppendTime)
        try bytes.withUnsafeBytes { bytes in
            let header = try RecordBatchHeader(reading: bytes)
            try header.checkCRC(bytes)
            #expect(header.maxTimestamp == Self.now)
        }
    }

    @Test func recordsOverAnHourAheadAreNamed() {
        var builder = BatchBuilder()
        builder.append(timestamp: Self.now, key: nil as [UInt8]?, value: [1])
        builder.append(timestamp: Timestamp(33_333_333_333_333), key: nil as [UInt8]?, value: [1])
        guard case .timestampsOutOfRange(let records) = error(builder.finish()) else {
            return #expect(Bool(false), "it passed")
        }
        #expect(records.map(\.batchIndex) == [1])
    }

    @Test(arguments: [CompressionCodec.none, .zstd])
    func compactedTopicsTakeNoRecordWithoutAKey(codec: CompressionCodec) {
        var rules = AppendRules()
        rules.isCompacted = true
        var builder = BatchBuilder()
        for key: [UInt8]? in [[1], nil, [], nil] {
            builder.append(timestamp: Timestamp(1), key: key, value: [1])
        }
        guard case .invalid(_, let records) = error(builder.finish(codec: codec), rules) else {
            return #expect(Bool(false), "it passed")
        }
        #expect(records.map(\.batchIndex) == [1, 3])
    }

    @Test(arguments: CompressionCodec.allCases, CompressionCodec.allCases)
    func batchesAreEncodedAgainForTheTopicsCodec(
        from: CompressionCodec, to target: CompressionCodec
    ) throws {
        var rules = AppendRules()
        rules.codec = target
        var builder = BatchBuilder(producer: BatchProducer(id: 4, epoch: 1, baseSequence: 9))
        for index in 0..<50 {
            builder.append(
                timestamp: Timestamp(Int64(index)), key: [UInt8(index)], value: [1, 2, 3],
                headers: [RecordHeader(key: "h", value: nil)])
        }
        let (validated, bytes) = try validate(builder.finish(codec: from), rules)
        #expect((validated.replacement == nil) == (from == target))
        try bytes.withUnsafeBytes { bytes in
            let header = try RecordBatchHeader(reading: bytes)
            try header.checkCRC(bytes)
            #expect(try header.attributes.codec() == target)
            #expect(header.recordCount == 50 && header.producerID == 4 && header.baseSequence == 9)
            #expect(header.maxTimestamp == Timestamp(49))
            #expect(header == validated.header)
        }
    }

    @Test func compressedBatchesWhoseOffsetsHaveHolesAreEncodedAgainDense() throws {
        var builder = BatchBuilder()
        for delta: Int32 in [1, 0] {
            builder.append(
                timestamp: Timestamp(1), key: [1], value: [UInt8(delta)], offsetDelta: delta)
        }
        let (validated, _) = try validate(builder.finish(codec: .lz4))
        #expect(validated.replacement != nil)
    }

    @Test func aBatchThatGrowsBeyondTheLimitWhenItIsEncodedAgainIsRefused() throws {
        var rules = AppendRules()
        (rules.codec, rules.batchBytesMax) = (CompressionCodec.none, 1_000)
        var builder = BatchBuilder()
        builder.append(timestamp: Timestamp(1), key: [1], value: Array(repeating: 0, count: 2_000))
        let batch = builder.finish(codec: .zstd)
        guard case .tooLarge(let bytes, limit: 1_000)? = error(batch, rules) else {
            Issue.record("it is taken")
            return
        }
        #expect(bytes > 2_000)
        rules.batchBytesMax = 3_000
        #expect(try validate(batch, rules).0.replacement?.count == bytes)
    }

    @Test func aDecompressionBombIsRefused() {
        var rules = AppendRules()
        rules.decompressedBytesMax = 1_000_000
        var builder = BatchBuilder()
        builder.append(
            timestamp: Timestamp(1), key: [1], value: Array(repeating: 0, count: 5_000_000))
        #expect(error(builder.finish(codec: .zstd), rules) == .inflatesBeyond(limit: 1_000_000))
    }

    @Test func mutatedBatchesNeverTrap() {
        var generator = SystemRandomNumberGenerator()
        var builder = BatchBuilder()
        for index in 0..<20 {
            builder.append(
                timestamp: Timestamp(Int64(index)), key: [1, 2], value: [3, 4, 5],
                headers: [RecordHeader(key: "name", value: [1])])
        }
        let batch = builder.finish()
        for _ in 0..<20_000 {
            var mutated = batch
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                mutated[Int.random(in: 17..<mutated.count, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            mutated.withUnsafeMutableBytes { RecordBatchHeader.restampCRC($0, byteCount: $0.count) }
            _ = error(mutated)
        }
    }
}
