internal import Coordinators
internal import MillraceBase
internal import MillraceProtocol

// What members of a classic group ask. Each goes to the group's coordinator and is answered when
// that answers.
extension Handler {
    static let joinGroup = Handler.deferring(.joinGroup, 0...9) {
        (shard, context, request: JoinGroupRequest) in
        let asked = GroupRequest.join(request, version: context.version)
        shard.ask([(request.groupId, asked)], context) { shard, answers in
            var response = JoinGroupResponse()
            switch answers.first {
            case .join(let answer)?: response = answer
            case .failed(let code)?:
                response.errorCode = code.rawValue
                response.memberId = request.memberId
            default: response.errorCode = ErrorCode.unknownServerError.rawValue
            }
            // Null only since version 7.
            if context.version < 7, response.protocolName == nil { response.protocolName = "" }
            if context.version >= 7, response.errorCode != 0 { response.protocolName = nil }
            shard.answer(response, response.errorCode, context)
        }
    }

    static let syncGroup = Handler.deferring(.syncGroup, 0...5) {
        (shard, context, request: SyncGroupRequest) in
        shard.ask([(request.groupId, .sync(request))], context) { shard, answers in
            var response = SyncGroupResponse()
            switch answers.first {
            case .sync(let answer)?: response = answer
            case .failed(let code)?: response.errorCode = code.rawValue
            default: response.errorCode = ErrorCode.unknownServerError.rawValue
            }
            shard.answer(response, response.errorCode, context)
        }
    }

    static let heartbeat = Handler.deferring(.heartbeat, 0...4) {
        (shard, context, request: HeartbeatRequest) in
        shard.ask([(request.groupId, .heartbeat(request))], context) { shard, answers in
            var response = HeartbeatResponse()
            switch answers.first {
            case .heartbeat(let code)?, .failed(let code)?: response.errorCode = code.rawValue
            default: response.errorCode = ErrorCode.unknownServerError.rawValue
            }
            shard.answer(response, response.errorCode, context)
        }
    }

    static let leaveGroup = Handler.deferring(.leaveGroup, 0...5) {
        (shard, context, request: LeaveGroupRequest) in
        let asked = GroupRequest.leave(request, version: context.version)
        shard.ask([(request.groupId, asked)], context) { shard, answers in
            var response = LeaveGroupResponse()
            switch answers.first {
            case .leave(let answer)?: response = answer
            case .failed(let code)?: response.errorCode = code.rawValue
            default: response.errorCode = ErrorCode.unknownServerError.rawValue
            }
            if context.version <= 2 { response.members = [] }
            shard.answer(response, response.errorCode, context)
        }
    }
}

// What administrators ask of groups.
extension Handler {
    static let listGroups = Handler.deferring(.listGroups, 0...5) {
        (shard, context, request: ListGroupsRequest) in
        shard.askAll(.list(request), context) { shard, answers in
            var response = ListGroupsResponse()
            for answer in answers {
                switch answer {
                case .list(let groups): response.groups += groups
                case .failed(let code): response.errorCode = code.rawValue
                default: break
                }
            }
            if response.errorCode != 0 { response.groups = [] }
            shard.answer(response, response.errorCode, context)
        }
    }

    static let describeGroups = Handler.deferring(.describeGroups, 0...6) {
        (shard, context, request: DescribeGroupsRequest) in
        let asked = request.groups.map { group in
            (group: group, GroupRequest.describe(group: group, version: context.version))
        }
        shard.ask(asked, context) { shard, answers in
            var response = DescribeGroupsResponse()
            response.groups = zip(request.groups, answers).map { id, answer in
                var group = DescribeGroupsResponse.Group()
                group.groupId = id
                switch answer {
                case .described(let described): group = described
                case .failed(let code): group.errorCode = code.rawValue
                default: group.errorCode = ErrorCode.unknownServerError.rawValue
                }
                if request.includeAuthorizedOperations, group.errorCode == 0 {
                    group.authorizedOperations = Shard.groupOperations
                }
                return group
            }
            let code = response.groups.first { $0.errorCode != 0 }?.errorCode ?? 0
            shard.answer(response, code, context)
        }
    }

    static let deleteGroups = Handler.deferring(.deleteGroups, 0...2) {
        (shard, context, request: DeleteGroupsRequest) in
        var seen: Set<String> = []
        let groups = request.groupsNames.filter { seen.insert($0).inserted }
        let asked = groups.map { (group: $0, GroupRequest.delete(group: $0)) }
        shard.ask(asked, context) { shard, answers in
            var response = DeleteGroupsResponse()
            response.results = zip(groups, answers).map { id, answer in
                var result = DeleteGroupsResponse.Result()
                result.groupId = id
                switch answer {
                case .deleted(let code), .failed(let code): result.errorCode = code.rawValue
                default: result.errorCode = ErrorCode.unknownServerError.rawValue
                }
                return result
            }
            let code = response.results.first { $0.errorCode != 0 }?.errorCode ?? 0
            shard.answer(response, code, context)
        }
    }
}

extension Shard {
    /// What everybody may do with a group where no authorizer forbids it: Read, Delete, Describe,
    /// DescribeConfigs, AlterConfigs, as bits.
    static let groupOperations: Int32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11

    /// Answers, and counts the error.
    func answer(_ response: some Message, _ code: Int16, _ context: RequestContext) {
        metrics.failed(api: context.token.api.rawValue, errorCode: code)
        reply(context.token, response)
    }
}
