import Coordinators
import Foundation
import MillraceBase
import MillraceProtocol
import TestSupport
import Testing

/// Stories of groups as texts (`Tests/Vectors/coordinators`), readable without Swift. A line is
/// what happens or what must be so; capitals are clients, `#` begins a remark.
@Suite struct ScenarioTests {
    private static let folder = Program.root.appending(path: "Tests/Vectors/coordinators")

    private static var names: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".txt") }.sorted()  // none: the test below says so
    }

    @Test func storiesAreThere() { #expect(Self.names.count >= 5) }

    @Test(arguments: names) func storyHolds(name: String) throws {
        let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
        let story = Story()
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated() where !line.hasPrefix("#") && !line.isEmpty
        {
            story.place = "\(name):\(index + 1): \(line)"
            try story.tell(line.split(separator: " ").map(String.init))
        }
    }
}

/// A story that is being told.
private final class Story {
    /// A client as it sees itself.
    private struct Client {
        var id = ""
        var instance: String?
        var version: Int16 = 7
        var rebalance: Int32 = 60_000
        var generation: Int32 = -1
        var asked: RequestToken?
    }

    var place = ""
    private var group = GroupHarness()
    private var clients: [String: Client] = [:]

    func tell(_ words: [String]) throws {
        switch words[0] {
        case "initial":
            var settings = GroupSettings()
            settings.initialRebalanceDelay = .milliseconds(try number(words[2]))
            group = GroupHarness(settings)
        case "wait": group.pass(.milliseconds(try number(words[1])))
        case "log":
            group.commitsAtOnce = words[2] == "quick"
            if group.commitsAtOnce { group.commitAll() }
        case "leadership": group.loseLeadership()
        case "group":
            let described = group.describe()
            #expect(described?.groupState == words[2], "\(place)")
            expect(described?.members.map(\.memberId) ?? [], named: words.dropFirst(4))
        case "offset":
            let found = group.offsets()?.first?.partitions.first?.offset
            #expect(found == Int64(words[2]), "\(place)")
        default: try tell(words[0], words[1], Array(words.dropFirst(2)))
        }
    }

    private func number(_ text: String) throws -> Int { try #require(Int(text), "\(place)") }

    private func tell(_ name: String, _ verb: String, _ more: [String]) throws {
        var client = clients[name] ?? Client()
        switch verb {
        case "joins":
            read(more, into: &client)
            client.asked = group.join(
                client.id, instance: client.instance, version: client.version,
                rebalance: client.rebalance)
        case "syncs":
            var assignments: [String: [UInt8]] = [:]
            for pair in more.map({ $0.split(separator: "=") }) {
                assignments[id(String(pair[0]))] = [UInt8(pair[1], radix: 16) ?? 0]
            }
            client.asked = group.sync(
                client.id, client.generation, instance: client.instance, assignments)
        case "beats":
            let code = group.heartbeat(client.id, client.generation, instance: client.instance)
            #expect(code.map { "\($0)" } == more.first, "\(place)")
        case "leaves": group.leave([(id: client.id, instance: client.instance)])
        case "commits":
            let token = group.commit(
                Int64(try number(more[0])), member: client.id, generation: client.generation)
            client.asked = token
            if more.count > 1 { #expect(Self.code(group.replies[token]) == more[1], "\(place)") }
        case "hears": try hear(name, more, &client)
        default: Issue.record("\(place): unknown words")
        }
        clients[name] = client
    }

    private func read(_ words: [String], into client: inout Client) {
        for (index, word) in words.enumerated() {
            if word == "as" { client.instance = words[index + 1] }
            if word == "rebalance" { client.rebalance = Int32(words[index + 1]) ?? 0 }
            if word.hasPrefix("v"), let version = Int16(word.dropFirst()) {
                client.version = version
            }
        }
    }

    private func hear(
        _ name: String, _ words: [String], _ client: inout Client
    ) throws {
        let answer = client.asked.flatMap { group.replies[$0] }
        switch (words[0], answer) {
        case ("nothing", nil): break
        case ("generation", .join(let response)?):
            #expect(response.errorCode == 0, "\(place)")
            #expect(response.generationId == Int32(words[1]), "\(place)")
            (client.id, client.generation) = (response.memberId, response.generationId)
            // Until the leader has heard of its own id, nobody can know it by name.
            let leader = words[3] == name ? client.id : id(words[3])
            if !leader.isEmpty { #expect(response.leader == leader, "\(place)") }
            #expect(response.members.count == max(words.count - 5, 0), "\(place)")
        case ("assignment", .sync(let response)?):
            #expect(response.errorCode == 0, "\(place)")
            #expect(response.assignment == [UInt8(words[1], radix: 16) ?? 0], "\(place)")
        default:
            #expect(Self.code(answer) == words[0], "\(place)")
            if case .join(let response)? = answer { client.id = response.memberId }
        }
    }

    private func id(_ name: String) -> String { clients[name]?.id ?? "" }

    private func expect(_ ids: [String], named names: ArraySlice<String>) {
        #expect(Set(ids) == Set(names.map { id($0) }), "\(place)")
    }

    private static func code(_ answer: GroupResponse?) -> String? {
        switch answer {
        case .join(let response)?: "\(ErrorCode(rawValue: response.errorCode))"
        case .sync(let response)?: "\(ErrorCode(rawValue: response.errorCode))"
        case .failed(let code)?: "\(code)"
        case .commit(let codes)?: codes.first.map { "\($0)" }
        default: nil
        }
    }
}
