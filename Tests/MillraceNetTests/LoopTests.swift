import MillraceBase
import MillraceNet
import Synchronization
import Testing

@Suite struct LoopTests {
    @Test func aMailboxWakesASleepingLoop() throws {
        let waker = try Waker()
        let mailbox = Mailbox<Int>(waker: waker)
        let received = Events<Int>()
        let thread = try WorkerThread(name: "loop") {
            guard let loop = try? EventLoop(waker: waker) else { return }
            loop.attach(mailbox) { for message in $0 { received.post(message) } }
            loop.run()
        }
        // One at a time, so that the loop sleeps between them.
        for number in 0..<2000 {
            mailbox.post(number)
            #expect(try received.next() == number)
        }
        waker.stop()
        thread.join()
    }

    @Test func messagesOfManyThreadsAllArriveInEachSendersOrder() throws {
        let waker = try Waker()
        let mailbox = Mailbox<(sender: Int, number: Int)>(waker: waker)
        let done = Events<[Int]>()
        let (senders, each) = (4, 20_000)
        let thread = try WorkerThread(name: "loop") {
            guard let loop = try? EventLoop(waker: waker) else { return }
            var last = [Int](repeating: -1, count: senders)
            var count = 0
            loop.attach(mailbox) { messages in
                for message in messages {
                    if message.number == last[message.sender] + 1 {
                        last[message.sender] = message.number
                    }
                    count += 1
                }
                if count == senders * each { done.post(last) }
            }
            loop.run()
        }
        let threads = try (0..<senders).map { sender in
            try WorkerThread(name: "sender") {
                for number in 0..<each { mailbox.post((sender, number)) }
            }
        }
        for thread in threads { thread.join() }
        #expect(try done.next() == [Int](repeating: each - 1, count: senders))
        waker.stop()
        thread.join()
    }

    @Test func timersFireInTheirOrderAndNotWhenCancelled() throws {
        let loop = try RunningLoop()
        defer { loop.stop() }
        let fired = Events<Int>()
        loop.post { loop in
            loop.schedule(at: loop.now + .milliseconds(30)) { fired.post(3) }
            loop.schedule(at: loop.now + .milliseconds(10)) { fired.post(1) }
            let cancelled = loop.schedule(at: loop.now + .milliseconds(15)) { fired.post(9) }
            loop.schedule(at: loop.now + .milliseconds(20)) { fired.post(2) }
            loop.cancel(cancelled)
            loop.schedule(at: loop.now + .milliseconds(40)) {
                loop.schedule(at: loop.now) { fired.post(4) }
            }
        }
        for expected in 1...4 { #expect(try fired.next() == expected) }
    }

    @Test func manyTimersComeInOrder() throws {
        let loop = try RunningLoop()
        defer { loop.stop() }
        let fired = Events<Int>()
        loop.post { loop in
            var cancelled: [LoopTimerID] = []
            for index in 0..<1000 {
                let delay = (index * 7919) % 1000
                loop.schedule(at: loop.now + .microseconds(delay * 20)) { fired.post(delay) }
                cancelled.append(
                    loop.schedule(at: loop.now + .microseconds(delay * 20)) { fired.post(-1) })
            }
            for timer in cancelled { loop.cancel(timer) }
        }
        for expected in 0..<1000 { #expect(try fired.next() == expected) }
    }

    @Test func theDelegateIsToldOfEachTurnAndMaySend() throws {
        /// Answers at the end of the turn what came during it.
        final class AtTurnEnd: EventLoopDelegate {
            var waiting: [(Connection, [UInt8])] = []
            func turnEnded(_ loop: EventLoop) {
                for (connection, frame) in waiting { connection.send(framed(frame)) }
                waiting = []
            }
        }
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        loop.post { loop in
            let delegate = AtTurnEnd()
            let handler = TestHandler()
            handler.onFrame = { delegate.waiting.append(($1, Array($0))) }
            loop.delegate = delegate
            try? loop.listen(on: socket, settings: ConnectionSettings(), handler: handler)
        }
        let client = try TestSocket(port: socket.address.port)
        try client.send(framed([1]) + framed([2]))
        #expect(try client.receiveFrame() == [1])
        #expect(try client.receiveFrame() == [2])
    }

    @Test func aPausedConnectionReceivesNothingUntilItIsResumed() throws {
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        let frames = Events<UInt8>()
        try loop.listen(on: socket) {
            let handler = TestHandler()
            handler.onFrame = { frame, connection in
                frames.post(frame[0])
                connection.pauseReading()
                let id = connection.id
                loop.post { $0.connection(id)?.resumeReading() }
            }
            return handler
        }
        let client = try TestSocket(port: socket.address.port)
        var all: [UInt8] = []
        for index in 0..<200 { all += framed([UInt8(index)] + pattern(3000)) }
        try client.send(all)
        for index in 0..<200 { #expect(try frames.next() == UInt8(index)) }
    }

    @Test func anIDOfAConnectionThatIsGoneNamesNobody() throws {
        let loop = try RunningLoop()
        defer { loop.stop() }
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        let opened = Events<ConnectionID>()
        let closed = Events<CloseReason>()
        try loop.listen(on: socket) {
            let handler = TestHandler.echo(closed)
            handler.onOpened = { opened.post($0.id) }
            return handler
        }
        var first: TestSocket? = try TestSocket(port: socket.address.port)
        let old = try opened.next()
        _ = first
        first = nil
        _ = try closed.next()
        let second = try TestSocket(port: socket.address.port)
        let new = try opened.next()
        #expect(new.slot == old.slot && new.generation != old.generation)
        #expect(try loop.sync { $0.connection(old) == nil && $0.connection(new) != nil })
        try second.send(framed([1]))
        #expect(try second.receiveFrame() == [1])
    }

    @Test func stoppingClosesConnectionsAndTellsTheirHandlers() throws {
        let loop = try RunningLoop()
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        let closed = Events<CloseReason>()
        let opened = Events<Bool>()
        try loop.listen(on: socket) {
            let handler = TestHandler.echo(closed)
            handler.onOpened = { _ in opened.post(true) }
            return handler
        }
        let client = try TestSocket(port: socket.address.port)
        _ = try opened.next()
        loop.stop()
        #expect(client.isClosedByPeer())
        #expect(try closed.next() == .stopped)
    }

    @Test func connectionsAreSpreadOverTheLoopsOfASocket() throws {
        let socket = try ListeningSocket(name: "PLAINTEXT", host: "127.0.0.1", port: 0)
        let loops = try (0..<3).map { _ in try RunningLoop() }
        defer { for loop in loops { loop.stop() } }
        for loop in loops { try loop.listen(on: socket) { TestHandler.echo() } }
        let clients = try (0..<30).map { _ in try TestSocket(port: socket.address.port) }
        for client in clients { try client.send(framed([1])) }
        for client in clients { #expect(try client.receiveFrame() == [1]) }
        // Optimised code would close the clients after their last use.
        let counts = try withExtendedLifetime(clients) {
            try loops.map { try $0.sync { $0.connectionCount } }
        }
        #expect(counts == [10, 10, 10])
    }

    @Test func aPortInUseIsATypedError() throws {
        let first = try ListeningSocket(name: "A", host: "127.0.0.1", port: 0)
        let port = first.address.port
        #expect(throws: NetError.addressInUse("127.0.0.1:\(port)")) {
            try ListeningSocket(name: "B", host: "127.0.0.1", port: port)
        }
        #expect(throws: NetError.self) {
            try ListeningSocket(name: "C", host: "192.0.2.1", port: 0)
        }
    }

    @Test func addressesAreReadAndWritten() {
        #expect(IPAddress("127.0.0.1")?.description == "127.0.0.1")
        #expect(IPAddress("[2001:db8::1]")?.description == "2001:db8::1")
        #expect(IPAddress("::ffff:10.0.0.1") == IPAddress("10.0.0.1"))
        #expect(IPAddress("::1")?.isLoopback == true)
        #expect(IPAddress("localhost") == nil)
        #expect(IPAddress("1.2.3") == nil)
        #expect(IPAddress("::1").map { "\(SocketAddress(ip: $0, port: 9092))" } == "[::1]:9092")
    }
}
