import MillraceBase
import Testing

@Suite struct PersistentMapTests {
    @Test(arguments: 0..<20) func agreesWithADictionaryWhateverIsDone(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var map = PersistentMap<Int, Int>()
        var model: [Int: Int] = [:]
        let range = [20, 200, 5000][Int(seed % 3)]
        for step in 0..<4000 {
            let key = Int.random(in: 0..<range, using: &random)
            // Phases of growth and of shrinking reach every split and join.
            if (step / 1000) % 2 == 0 ? random.next() % 4 != 0 : random.next() % 4 == 0 {
                #expect(map.updateValue(step, forKey: key) == model.updateValue(step, forKey: key))
            } else {
                #expect(map.removeValue(forKey: key) == model.removeValue(forKey: key))
            }
            if step % 97 == 0 { compare(map, model) }
        }
        compare(map, model)
        for key in model.keys.sorted() { #expect(map.removeValue(forKey: key) == model[key]) }
        #expect(map.isEmpty && map.first == nil)
    }

    private func compare(_ map: PersistentMap<Int, Int>, _ model: [Int: Int]) {
        let sorted = model.sorted { $0.key < $1.key }
        #expect(map.count == model.count)
        #expect(map.map(\.key) == sorted.map(\.key))
        #expect(map.map(\.value) == sorted.map(\.value))
        #expect(map.first?.key == sorted.first?.key && map.last?.key == sorted.last?.key)
        for (key, value) in sorted { #expect(map[key] == value) }
        #expect(map[-1] == nil)
    }

    @Test func olderVersionsStayAsTheyWere() {
        var random = SeededGenerator(seed: 7)
        var map = PersistentMap<Int, Int>()
        var versions: [(PersistentMap<Int, Int>, [Int: Int])] = []
        var model: [Int: Int] = [:]
        for step in 0..<3000 {
            let key = Int.random(in: 0..<700, using: &random)
            switch random.next() % 3 {
            case 0: map.removeValue(forKey: key); model[key] = nil
            case 1: map.modify(key) { $0 += 1 }; if let old = model[key] { model[key] = old + 1 }
            default: map[key] = step; model[key] = step
            }
            if step % 100 == 0 { versions.append((map, model)) }
        }
        for (map, model) in versions { compare(map, model) }
    }

    @Test func startsIteratingAtAnyKey() {
        var map = PersistentMap<Int, Int>()
        for key in stride(from: 0, to: 2000, by: 2) { map[key] = -key }
        for key in [-5, 0, 1, 2, 31, 999, 1000, 1997, 1998, 1999, 5000] {
            let expected = stride(from: 0, to: 2000, by: 2).filter { $0 >= key }
            #expect(map.elements(from: key).map(\.key) == expected)
        }
    }

    @Test func oneChangeOfAMillionCopiesOnePath() {
        var map = PersistentMap<Int, Int>()
        for key in 0..<1_000_000 { map[key] = key }
        #expect(map.depth <= 5)
        let before = map
        var random = SeededGenerator(seed: 1)
        let key = Int.random(in: 0..<1_000_000, using: &random)
        map[key] = -1
        #expect(map.nodesNotShared(with: before) <= map.depth)
        #expect(before[key] == key)
        let again = map
        map.removeValue(forKey: key)
        #expect(map.nodesNotShared(with: again) <= map.depth + 1)
    }

    @Test func lookingUpComparesLogarithmically() {
        var map = PersistentMap<Counted, Int>()
        for key in 0..<100_000 { map[Counted(key)] = key }
        let counter = Counter()
        for key in stride(from: 0, to: 100_000, by: 997) {
            map[Counted(key, counter)] = 0
        }
        #expect(counter.comparisons < 101 * 24, "log2 of 100,000 is 17")
    }

    private final class Counter { var comparisons = 0 }

    private struct Counted: Comparable {
        var key: Int
        var counter: Counter?
        init(_ key: Int, _ counter: Counter? = nil) { (self.key, self.counter) = (key, counter) }
        static func < (a: Counted, b: Counted) -> Bool {
            (a.counter ?? b.counter)?.comparisons += 1
            return a.key < b.key
        }
        static func == (a: Counted, b: Counted) -> Bool { a.key == b.key }
    }
}
