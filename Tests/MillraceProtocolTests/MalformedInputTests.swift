import Foundation
import MillraceBase
import MillraceProtocol
import TestSupport
import Testing

/// Bytes that are no message: a typed error, and no more memory than they carry.
struct MalformedInputTests {
    @Test func aMessageCutAnywhereIsAnError() throws {
        for vector in Vector.all {
            let type = try #require(MessageTable.type(kind: vector.kind, name: vector.name))
            let accepted = cuts(type, vector)
            #expect(accepted == nil, "\(vector.place): \(accepted ?? 0) bytes pass for the whole")
        }
    }

    /// A length at which the cut message is read without an error.
    private func cuts<T: Message>(_ type: T.Type, _ vector: Vector) -> Int? {
        vector.bytes.withUnsafeBytes { raw in
            (0..<raw.count).first { length in
                var reader = ByteReader(raw, range: 0..<length)
                do {
                    _ = try T(from: &reader, version: vector.version)
                    return true
                } catch {
                    return false
                }
            }
        }
    }

    @Test func changedBytesNeverTrapAndWhatIsReadIsWrittenAgain() throws {
        var random = SeededGenerator(seed: 42)
        for vector in Vector.all {
            let type = try #require(MessageTable.type(kind: vector.kind, name: vector.name))
            for _ in 0..<30 {
                var bytes = vector.bytes
                for _ in 0...Int.random(in: 0..<4, using: &random) where !bytes.isEmpty {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[place] =
                        [0, 1, 0x7F, 0x80, 0xFF, UInt8.random(in: .min ... .max, using: &random)]
                        .randomElement(using: &random) ?? 0
                }
                let problem = survives(type, bytes, vector.version)
                #expect(problem == nil, "\(vector.place): \(problem ?? "") \(Hex.text(bytes))")
            }
        }
    }

    private func survives<T: Message>(_ type: T.Type, _ bytes: [UInt8], _ version: Int16)
        -> String?
    {
        let message: T
        do { message = try T.decode(bytes, version: version).message } catch { return nil }
        do {
            let written = try message.encoded(version: version, source: bytes)
            // Floating point may have become "not a number", which equals nothing: compare bytes.
            let again = try T.decode(written, version: version).message
            return try again.encoded(version: version, source: written) == written
                ? nil : "written differently the second time"
        } catch {
            return "not written again: \(error)"
        }
    }

    @Test func randomBytesNeverTrap() throws {
        var random = SeededGenerator(seed: 7)
        for type in MessageRegistry.all {
            for version in type.schema.versions {
                for _ in 0..<20 {
                    let count = Int.random(in: 0..<80, using: &random)
                    let bytes = (0..<count).map { _ in
                        UInt8.random(in: .min ... .max, using: &random)
                            & (Bool.random(using: &random) ? 0x03 : 0xFF)
                    }
                    let problem = survives(type, bytes, version)
                    #expect(problem == nil, "\(type) \(version): \(problem ?? "")")
                }
            }
        }
    }

    @Test func lengthsThatTheInputCannotHoldAreRefused() {
        func error(_ bytes: [UInt8], _ version: Int16) -> CodecError? {
            do {
                _ = try MetadataRequest.decode(bytes, version: version)
                return nil
            } catch {
                return error as? CodecError
            }
        }
        #expect(error([0x7F, 0xFF, 0xFF, 0xFF, 0, 0], 0) == .impossibleLength(at: 0))
        #expect(error([0xFF, 0xFF, 0xFF, 0xFF], 0) == .unexpectedNull(at: 0))
        #expect(error([0xFF, 0xFF, 0xFF, 0xFE], 1) == nil, "-2 is null, as Kafka has it")
        #expect(error([0, 0, 0, 1, 0x7F, 0xFF, 0x61], 0) == .impossibleLength(at: 6))
        #expect(error([0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0], 9) == .impossibleLength(at: 0))
        #expect(error([0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0], 9) == .overlongVarint(at: 0))
        #expect(error([0, 0, 0, 1, 0, 1, 0xC3], 0) == .invalidText(at: 6))
        // Bytes after the body belong to nobody.
        #expect(error([0, 0, 0, 0, 1, 2, 3], 0) == nil)
    }

    @Test func anUnknownTagMayComeTwiceAndIsKept() throws {
        // No topics, two flags, two fields of tag 9.
        let bytes: [UInt8] = [1, 0, 0, 2, 9, 1, 0xAA, 9, 1, 0xBB]
        let (message, end) = try MetadataRequest.decode(bytes, version: 11)
        #expect(end == 9 || end == 10)
        #expect(message.unknownTaggedFields.allSatisfy { $0.tag == 9 })
    }

    @Test func aSmallFrameOfManyTinyElementsTakesNoMoreMemoryThanIsAllowed() {
        // 64 MiB of zeros: each byte could be an element of a hundred bytes in memory.
        var bytes = [UInt8](repeating: 0, count: 64 << 20)
        bytes.replaceSubrange(0..<4, with: [0x01, 0xFF, 0xFF, 0xFF])
        bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            #expect(throws: CodecError.impossibleLength(at: 0)) {
                _ = try MetadataRequest(from: &reader, version: 0)
            }
            #expect(reader.memoryLeft == 128 << 20)
        }
    }
}
