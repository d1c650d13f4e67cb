internal import MillraceBase
internal import MillraceProtocol
internal import MillraceRecords
internal import Replication
internal import Storage

extension Handler {
    /// Versions below 3 are told, since librdkafka before 2.10 takes their absence for a broker
    /// that cannot decompress, and are not served.
    static let produce = Handler.deferring(.produce, 3...13, advertised: 0...13) {
        (shard, context, request: ProduceRequest) in
        shard.produce(request, context)
    }
}

extension Shard {
    fileprivate func produce(_ request: ProduceRequest, _ context: RequestContext) {
        let operation = ProduceOperation(request, token: context.token)
        guard operation.remaining > 0 else { return finish(operation) }
        let topics = operation.topics
        // The operation is put where results find it before the first append may give one.
        let id = produces.insert(operation)
        var remote: [Int: [ProduceItem]] = [:]
        let refusal = (-1...1).contains(request.acks) ? nil : ErrorCode.invalidRequiredAcks
        var item = 0
        for topic in topics {
            let found = resolve(topic, version: context.version, clientID: context.clientID)
            for partition in topic.partitionData {
                defer { item += 1 }
                if let refusal {
                    complete(id, item, .refused(refusal))
                    continue
                }
                switch place(partition, of: found) {
                case .failure(let code): complete(id, item, .refused(code))
                case .success(let entry):
                    guard let bytes = records(partition, in: context.frame) else {
                        complete(
                            id, item,
                            .refused(.invalidRecord, "a record set holds one batch, this one none"))
                        continue
                    }
                    append(
                        bytes, to: entry, version: context.version,
                        transactionalID: request.transactionalId, acks: request.acks, operation: id,
                        item: item, remote: &remote)
                }
            }
        }
        guard !remote.isEmpty else { return }
        for (shard, items) in remote.sorted(by: { $0.key < $1.key }) {
            post(
                shard,
                .produce(
                    ProducePart(
                        shard: identity.index, operation: id, waitsForAll: request.acks == -1,
                        items: items)))
        }
    }

    /// The topic that a request names, by id from version 13 on.
    private func resolve(
        _ topic: ProduceRequest.TopicData, version: Int16, clientID: String?
    ) -> Result<Int, ErrorCode> {
        let index: Int?
        if version >= 13 {
            index = topics.index(id: TopicID(topic.topicId))
        } else {
            index = topics.index(name: topic.name)
        }
        guard let index else {
            return .failure(version >= 13 ? .unknownTopicId : .unknownTopicOrPartition)
        }
        guard !topics.isInternal(index) || clientID == "__admin_client" else {
            return .failure(.invalidTopicException)
        }
        return .success(index)
    }

    private func place(
        _ partition: ProduceRequest.TopicData.PartitionData, of topic: Result<Int, ErrorCode>
    ) -> Result<PartitionEntry, ErrorCode> {
        topic.flatMap { index in
            guard let entry = self.topics.partition(index, partition.index) else {
                return .failure(.unknownTopicOrPartition)
            }
            return entry.shard == nil ? .failure(.notLeaderOrFollower) : .success(entry)
        }
    }

    private func records(
        _ partition: ProduceRequest.TopicData.PartitionData, in frame: UnsafeMutableRawBufferPointer
    ) -> UnsafeMutableRawBufferPointer? {
        guard case .frame(let range)? = partition.records else { return nil }
        return UnsafeMutableRawBufferPointer(rebasing: frame[range])
    }

    private func append(
        _ bytes: UnsafeMutableRawBufferPointer, to entry: PartitionEntry, version: Int16,
        transactionalID: String?, acks: Int16, operation: UInt64, item: Int,
        remote: inout [Int: [ProduceItem]]
    ) {
        do throws(RecordsError) {
            let header = try BatchValidator.checkForm(UnsafeRawBufferPointer(bytes))
            // Before version 7 clients do not know zstd (KIP-110).
            guard header.attributes.codecNumber != CompressionCodec.zstd.rawValue || version >= 7
            else { return complete(operation, item, .refused(.unsupportedCompressionType)) }
            guard !header.attributes.isTransactional else {
                // No transaction was begun here: this version has no transaction coordinator.
                let code: ErrorCode =
                    transactionalID == nil
                    ? .transactionalIdAuthorizationFailed : .invalidProducerIdMapping
                return complete(operation, item, .refused(code))
            }
            if let shard = entry.shard, shard != identity.index {
                let batch = Array(UnsafeRawBufferPointer(rebasing: bytes[..<header.byteCount]))
                remote[shard, default: []].append(
                    ProduceItem(index: item, partition: entry.id, batch: batch))
                return
            }
            let outcome = append(
                header, bytes, to: entry.slot, waitsForAll: acks == -1,
                waiter: .produce(shard: identity.index, operation: operation, item: item))
            if let outcome { complete(operation, item, outcome) }
        } catch {
            complete(operation, item, outcome(of: error, startOffset: nil))
        }
    }

    /// Appends a batch to a partition of this shard.
    /// - Returns: the outcome if it is known at once; nil if the waiter is told.
    private func append(
        _ header: RecordBatchHeader, _ bytes: UnsafeMutableRawBufferPointer,
        to slot: PartitionSlot?,
        waitsForAll: Bool, waiter: AppendWaiter
    ) -> ProduceOutcome? {
        guard let slot, let partition = partition(slot) else {
            return .refused(notServed)
        }
        let batch: ValidatedBatch
        do throws(RecordsError) {
            batch = try BatchValidator.validate(
                header, in: bytes, rules: rules[slot.index], now: now.timestamp, contexts: contexts)
        } catch {
            return outcome(of: error, startOffset: partition.log.startOffset)
        }
        let taken: PartitionAppend
        do throws(StorageError) {
            taken = try partition.append(
                batch, in: UnsafeMutableRawBufferPointer(rebasing: bytes[..<header.byteCount]),
                waitsForAll: waitsForAll, waiter: waiter, now: now, into: &partitionEffects)
        } catch {
            noteStorage(error)
            return .refused(error.errorCode)
        }
        switch taken {
        case .staged(let append):
            metrics.recordsIn.add(Int(header.recordCount))
            effects.append(
                .write(
                    slot, append,
                    UnsafeRawBufferPointer(
                        rebasing: UnsafeRawBufferPointer(bytes)[..<header.byteCount])))
            return nil
        case .duplicate:
            runPartitionEffects(slot)
            return nil
        case .refused(let refusal):
            return ProduceOutcome(
                errorCode: refusal.errorCode, logStartOffset: partition.log.startOffset.rawValue)
        case .notEnoughReplicas: return .refused(.notEnoughReplicas)
        }
    }

    private func outcome(of error: RecordsError, startOffset: Offset?) -> ProduceOutcome {
        var outcome = ProduceOutcome(errorCode: error.errorCode, message: error.text)
        if let startOffset, error.isFoundByLog { outcome.logStartOffset = startOffset.rawValue }
        outcome.recordErrors = error.refusals.map { refusal in
            var element = ProduceResponse.Response.PartitionResponse.RecordError()
            element.batchIndex = refusal.batchIndex
            element.batchIndexErrorMessage = refusal.message
            return element
        }
        return outcome
    }

    /// Appends what another shard's connection brought.
    func append(_ part: ProducePart) {
        var results: [ProducePartResult] = []
        for item in part.items {
            let bytes = hold(item.batch)
            let outcome: ProduceOutcome?
            do throws(RecordsError) {
                let header = try RecordBatchHeader(reading: UnsafeRawBufferPointer(bytes))
                outcome = append(
                    header, bytes, to: topics.slot(of: item.partition),
                    waitsForAll: part.waitsForAll,
                    waiter: .produce(
                        shard: part.shard, operation: part.operation, item: item.index))
            } catch {
                outcome = self.outcome(of: error, startOffset: nil)
            }
            if let outcome {
                results.append(ProducePartResult(index: item.index, outcome: outcome))
            }
        }
        if !results.isEmpty { post(part.shard, .produced(operation: part.operation, results)) }
    }

    /// Tells who waits for an append.
    func acknowledge(_ waiter: AppendWaiter, _ result: Result<AppendResult, ErrorCode>) {
        switch waiter {
        case .none: break
        case .coordinator(let token): coordinatorAppended(token, result)
        case .produce(let shard, let operation, let item):
            var outcome = ProduceOutcome()
            switch result {
            case .success(let append):
                outcome.baseOffset = append.baseOffset.rawValue
                outcome.logAppendTime = append.logAppendTime.rawValue
                outcome.logStartOffset = append.logStartOffset.rawValue
            case .failure(let code): outcome.errorCode = code
            }
            if shard == identity.index {
                complete(operation, item, outcome)
            } else {
                post(
                    shard,
                    .produced(
                        operation: operation, [ProducePartResult(index: item, outcome: outcome)]))
            }
        }
    }

    func produced(_ operation: UInt64, _ results: [ProducePartResult]) {
        for result in results { complete(operation, result.index, result.outcome) }
    }

    /// Notes the outcome for one partition; the last one sends the answer.
    private func complete(_ id: UInt64, _ item: Int, _ outcome: ProduceOutcome) {
        if outcome.errorCode != .none {
            metrics.failed(api: ApiKey.produce.rawValue, errorCode: outcome.errorCode.rawValue)
        }
        if let operation = produces.complete(id, item, outcome) { finish(operation) }
    }

    private func finish(_ operation: ProduceOperation) {
        guard operation.acks == 0 else { return reply(operation.token, operation.response()) }
        staySilent(operation.token)
        // With acks=0 there is no answer that could bear an error: the connection is closed.
        if operation.hasFailed {
            close(operation.token.connection, "a Produce without acknowledgement failed")
        }
    }
}
