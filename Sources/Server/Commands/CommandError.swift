/// Why a command of the node failed: the one line that it prints, and its exit code.
package struct CommandError: Error, Equatable, CustomStringConvertible {
    package let description: String
    package let exitCode: Int32

    package init(_ description: String, exitCode: Int32 = 1) {
        (self.description, self.exitCode) = (description, exitCode)
    }
}
