// CRC-32C (Castagnoli), RFC 3720 appendix B.4: the checksum of Kafka's record batches.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// CRC-32C of `length` bytes, continued from `crc` (0 to begin).
uint32_t millrace_crc32c(uint32_t crc, const void *bytes, size_t length);
/// The same by table alone, for processors without the instruction and for the test that compares both.
uint32_t millrace_crc32c_portable(uint32_t crc, const void *bytes, size_t length);
