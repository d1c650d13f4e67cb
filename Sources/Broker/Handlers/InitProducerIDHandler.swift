internal import MillraceBase
internal import MillraceProtocol

extension Handler {
    static let initProducerID = Handler.deferring(.initProducerId, 0...5) {
        (shard, context, request: InitProducerIdRequest) in
        shard.initProducerID(request, context)
    }
}

/// Producer ids of this shard's block, and the requests that wait for the next block.
struct ProducerIDBlocks {
    var block: Range<Int64> = 0..<0
    var waiting: [ReplyToken] = []
    var isAsking = false
}

extension Shard {
    fileprivate func initProducerID(_ request: InitProducerIdRequest, _ context: RequestContext) {
        guard request.transactionalId != "" else { return refuse(context.token, .invalidRequest) }
        guard request.transactionalId == nil else {
            // Transactions are not served: no coordinator is to be had.
            return refuse(context.token, .coordinatorNotAvailable)
        }
        // An idempotent producer that asks again names id and epoch, or neither (KIP-360).
        guard (request.producerId == -1) == (request.producerEpoch == -1) else {
            return refuse(context.token, .invalidRequest)
        }
        producerIDs.waiting.append(context.token)
        giveProducerIDs()
    }

    private func refuse(_ token: ReplyToken, _ code: ErrorCode) {
        var response = InitProducerIdResponse()
        response.errorCode = code.rawValue
        response.producerId = -1
        response.producerEpoch = -1
        metrics.failed(api: ApiKey.initProducerId.rawValue, errorCode: code.rawValue)
        reply(token, response)
    }

    private func giveProducerIDs() {
        while let token = producerIDs.waiting.first, !producerIDs.block.isEmpty {
            producerIDs.waiting.removeFirst()
            var response = InitProducerIdResponse()
            response.producerId = producerIDs.block.lowerBound
            response.producerEpoch = 0
            producerIDs.block = (producerIDs.block.lowerBound + 1)..<producerIDs.block.upperBound
            reply(token, response)
        }
        guard !producerIDs.waiting.isEmpty, !producerIDs.isAsking else { return }
        producerIDs.isAsking = true
        control(.allocateProducerIDs(shard: identity.index))
    }

    func received(producerIDs block: Range<Int64>) {
        producerIDs.isAsking = false
        guard !block.isEmpty else {
            let waiting = producerIDs.waiting
            producerIDs.waiting = []
            for token in waiting { refuse(token, .coordinatorLoadInProgress) }
            return
        }
        producerIDs.block = block
        giveProducerIDs()
    }
}
