import MillraceBase
import Testing

struct UuidTests {
    @Test func aUuidIsWrittenAsKafkaWritesIt() {
        let uuid = Uuid(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF)
        #expect(uuid.description == "ABEiM0RVZneImaq7zN3u_w")
        #expect(Uuid("ABEiM0RVZneImaq7zN3u_w") == uuid)
        #expect(Uuid("ABEiM0RVZneImaq7zN3u_x") == nil)
        #expect(Uuid("short") == nil)
    }

    @Test func randomUuidsRoundTripAndNeverBeginWithAHyphen() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let uuid = Uuid.random(using: &generator)
            #expect(!uuid.description.hasPrefix("-"))
            #expect(Uuid(uuid.description) == uuid)
        }
    }
}
