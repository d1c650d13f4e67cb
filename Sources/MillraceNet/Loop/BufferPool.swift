/// Buffers for frames that are half received, by powers of two; a few of each size are kept, since
/// a new megabyte costs 256 page faults.
struct BufferPool: ~Copyable {
    /// The smallest buffer.
    static let bytesMin = 4096
    /// What is kept of buffers that nobody uses.
    static let keptBytesMax = 8 * 1024 * 1024

    private var free: [[UnsafeMutableRawBufferPointer]] = Array(repeating: [], count: 32)
    private var keptBytes = 0

    deinit { for list in free { for buffer in list { buffer.deallocate() } } }

    /// A size class that holds so many bytes.
    static func capacity(for bytes: Int) -> Int {
        guard bytes > bytesMin else { return bytesMin }
        return 1 << (Int.bitWidth - (bytes - 1).leadingZeroBitCount)
    }

    /// - Parameter capacity: a value of `capacity(for:)`.
    mutating func take(_ capacity: Int) -> UnsafeMutableRawBufferPointer {
        let index = capacity.trailingZeroBitCount
        if index < free.count, let buffer = free[index].popLast() {
            keptBytes -= capacity
            return buffer
        }
        return .allocate(byteCount: capacity, alignment: 16)
    }

    mutating func give(_ buffer: UnsafeMutableRawBufferPointer) {
        let index = buffer.count.trailingZeroBitCount
        guard index < free.count, keptBytes + buffer.count <= Self.keptBytesMax else {
            return buffer.deallocate()
        }
        keptBytes += buffer.count
        free[index].append(buffer)
    }
}
