import MillraceBase
import Testing

@Suite struct QueueTests {
    @Test(arguments: 0..<5) func aHeapGivesItsElementsInOrder(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var heap = Heap<Int>()
        var model: [Int] = []
        for _ in 0..<2000 {
            if random.next() % 3 != 0 {
                let element = Int.random(in: 0..<100, using: &random)
                heap.insert(element)
                model.append(element)
                model.sort()
            } else {
                #expect(heap.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(heap.first == model.first && heap.count == model.count)
        }
    }

    @Test(arguments: 0..<5) func aDequeAgreesWithAnArray(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var deque = Deque<Int>()
        var model: [Int] = []
        for step in 0..<2000 {
            switch random.next() % 6 {
            case 0, 1: deque.append(step); model.append(step)
            case 2: deque.prepend(step); model.insert(step, at: 0)
            case 3: #expect(deque.popLast() == model.popLast())
            default: #expect(deque.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(deque.count == model.count && deque.first == model.first)
            #expect(deque.last == model.last)
        }
        #expect(Array(deque) == model)
    }

    @Test(arguments: 0..<5) func timersComeInOrderOfDeadlineThenOfMaking(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queue = TimerQueue<Int>()
        var model: [(deadline: Int64, payload: Int, id: TimerID)] = []
        var now: Int64 = 0
        for step in 0..<3000 {
            switch random.next() % 4 {
            case 0, 1:
                let deadline = now + Int64.random(in: 0..<20, using: &random)
                let id = queue.schedule(step, at: Instant(nanoseconds: deadline))
                model.append((deadline, step, id))
            case 2:
                guard let victim = model.randomElement(using: &random) else { continue }
                #expect(queue.cancel(victim.id) == victim.payload)
                #expect(queue.cancel(victim.id) == nil, "an id serves once")
                model.removeAll { $0.payload == victim.payload }
            default:
                now += 1
                var due: [Int] = []
                while let payload = queue.popDue(at: Instant(nanoseconds: now)) {
                    due.append(payload)
                }
                let expected = model.filter { $0.deadline <= now }
                    .sorted { ($0.deadline, $0.payload) < ($1.deadline, $1.payload) }
                #expect(due == expected.map(\.payload))
                model.removeAll { $0.deadline <= now }
            }
            #expect(queue.count == model.count)
            #expect(queue.nextDeadline?.nanoseconds == model.map(\.deadline).min())
        }
    }

    @Test func aSeedGivesTheSameNumbersEverywhere() {
        var generator = SeededGenerator(seed: 42)
        #expect(
            (0..<3).map { _ in generator.next() } == [
                13_679_457_532_755_275_413, 2_949_826_092_126_892_291, 5_139_283_748_462_763_858,
            ])
    }
}
