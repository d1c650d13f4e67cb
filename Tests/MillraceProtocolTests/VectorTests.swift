import Foundation
import MillraceBase
import MillraceProtocol
import TestSupport
import Testing

/// Messages that Apache Kafka encoded, both ways.
struct VectorTests {
    @Test func everyMessageThatKafkaEncodedIsReadAsItsFieldsAndWrittenAsItsBytes() throws {
        #expect(Vector.all.count == 1793)
        for vector in Vector.all {
            guard let type = MessageTable.type(kind: vector.kind, name: vector.name) else {
                Issue.record("no type for \(vector.place)")
                continue
            }
            let problems = try check(type, vector)
            #expect(problems.isEmpty, "\(vector.place): \(problems)")
        }
    }

    private func check(_ type: (some Message).Type, _ vector: Vector) throws -> [String] {
        do {
            let (message, end) = try type.decode(vector.bytes, version: vector.version)
            var comparison = FieldComparison(frame: vector.bytes)
            comparison.compare(
                message, try JSONSerialization.jsonObject(with: Data(vector.json.utf8)), "")
            var problems = comparison.differences
            if end != vector.bytes.count { problems.append("read \(end) bytes") }
            let encoded = try message.encoded(version: vector.version, source: vector.bytes)
            if encoded != vector.bytes { problems.append("written as \(Hex.text(encoded))") }
            return problems
        } catch let error as CodecError {
            return ["\(error)"]
        }
    }

    @Test func aNewMessageIsWrittenAsKafkaWritesOne() throws {
        for vector in Vector.all where vector.variant == "defaults" {
            let type = try #require(MessageTable.type(kind: vector.kind, name: vector.name))
            let encoded = try type.init().encoded(version: vector.version)
            #expect(Hex.text(encoded) == Hex.text(vector.bytes), "\(vector.place)")
        }
    }

    @Test func everyMessageOfTheSchemasHasATypeWithItsVersions() {
        #expect(SchemaMessage.all.count == MessageRegistry.all.count)
        for message in SchemaMessage.all {
            let schema = MessageTable.byName["\(message.kind) \(message.name)"]?.schema
            #expect(schema.map { Int($0.versions.lowerBound) } == message.versions.lowerBound)
            #expect(schema.map { Int($0.versions.upperBound) } == message.versions.upperBound)
            for version in message.versions {
                #expect(
                    schema?.isFlexible(Int16(version)) == message.flexible.contains(version),
                    "\(message.name) \(version)")
            }
        }
    }
}
