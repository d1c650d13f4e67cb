import CMillrace
import MillraceRecords
import Testing

struct CRC32CTests {
    @Test func theCheckValueIsThatOfTheStandard() {
        let checked = Array("123456789".utf8).withUnsafeBytes { crc32c($0) }
        #expect(checked == 0xE306_9283)
    }

    @Test func theThreeWaysAgreeWithTheTableAtEveryLength() {
        let bytes = (0..<60_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ ($0 >> 3)) }
        bytes.withUnsafeBytes { bytes in
            for length in stride(from: 0, through: bytes.count, by: 61) {
                #expect(
                    millrace_crc32c(0, bytes.baseAddress, length)
                        == millrace_crc32c_portable(0, bytes.baseAddress, length))
            }
        }
    }
}
