/// Told when a turn of the loop is over.
package protocol EventLoopDelegate: AnyObject {
    /// All events, messages and timers of this turn are handled; what is sent from here still
    /// leaves in this turn. The loop's thread.
    func turnEnded(_ loop: EventLoop)
}
