internal import CMillrace

/// CRC-32C of `bytes`, as Kafka's batches carry it.
package func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    millrace_crc32c(0, bytes.baseAddress, bytes.count)
}
