#include "millrace_crc32c.h"
#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reversed */

static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = (c >> 1) ^ ((c & 1) ? POLYNOMIAL : 0);
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xff];
}

uint32_t millrace_crc32c_portable(uint32_t crc, const void *bytes, size_t length) {
    pthread_once(&table_once, make_table);
    const uint8_t *p = bytes;
    uint32_t c = ~crc;
    for (; length >= 8; p += 8, length -= 8) {
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + 4, 4);
        low ^= c;
        c = table[7][low & 0xff] ^ table[6][(low >> 8) & 0xff] ^ table[5][(low >> 16) & 0xff] ^
            table[4][low >> 24] ^ table[3][high & 0xff] ^ table[2][(high >> 8) & 0xff] ^
            table[1][(high >> 16) & 0xff] ^ table[0][high >> 24];
    }
    while (length--) c = (c >> 8) ^ table[0][(c ^ *p++) & 0xff];
    return ~c;
}

// Three independent streams hide the instruction's latency of three cycles. Their checksums are
// joined by multiplication with x^(8n) modulo the polynomial, by table for the two block lengths.
// The table of a length holds the operator "append n zero bytes" for each byte of a checksum.
#define LONG_BLOCK 8192
#define SHORT_BLOCK 256

typedef uint32_t shift_table[4][256];
static shift_table shift_long, shift_short;

static uint32_t multiply(const uint32_t matrix[32], uint32_t vector) {
    uint32_t sum = 0;
    for (int i = 0; vector; vector >>= 1, i++)
        if (vector & 1) sum ^= matrix[i];
    return sum;
}

static void make_shift(shift_table out, size_t length) {
    uint32_t matrix[32], square[32];
    // The operator for one zero bit, squared until it stands for `length` bytes (a power of two).
    matrix[0] = POLYNOMIAL;
    for (int i = 1; i < 32; i++) matrix[i] = 1u << (i - 1);
    for (size_t bits = length * 8; bits > 1; bits >>= 1) {
        for (int i = 0; i < 32; i++) square[i] = multiply(matrix, matrix[i]);
        memcpy(matrix, square, sizeof matrix);
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 0; k < 4; k++) out[k][i] = multiply(matrix, i << (8 * k));
}

static inline uint32_t shift(const shift_table t, uint32_t crc) {
    return t[0][crc & 0xff] ^ t[1][(crc >> 8) & 0xff] ^ t[2][(crc >> 16) & 0xff] ^ t[3][crc >> 24];
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HARDWARE __attribute__((target("sse4.2")))
#define STEP8(c, v) _mm_crc32_u64((c), (v))
#define STEP1(c, v) _mm_crc32_u8((uint32_t)(c), (v))
static int hardware_present(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define HARDWARE __attribute__((target("crc")))
#define STEP8(c, v) __crc32cd((uint32_t)(c), (v))
#define STEP1(c, v) __crc32cb((uint32_t)(c), (v))
static int hardware_present(void) { return (getauxval(AT_HWCAP) & (1 << 7)) != 0; }
#endif

#ifdef HARDWARE
static inline uint64_t load(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

HARDWARE static uint32_t three_ways(
    uint32_t crc, const uint8_t **bytes, size_t *length, size_t block, const shift_table join) {
    const uint8_t *p = *bytes;
    uint64_t a = crc;
    for (; *length >= 3 * block; *length -= 3 * block, p += 3 * block) {
        uint64_t b = 0, c = 0;
        for (size_t i = 0; i < block; i += 8) {
            a = STEP8(a, load(p + i));
            b = STEP8(b, load(p + block + i));
            c = STEP8(c, load(p + 2 * block + i));
        }
        a = shift(join, (uint32_t)a) ^ b;
        a = shift(join, (uint32_t)a) ^ c;
    }
    *bytes = p;
    return (uint32_t)a;
}

HARDWARE static uint32_t hardware(uint32_t crc, const uint8_t *p, size_t length) {
    uint32_t c = ~crc;
    c = three_ways(c, &p, &length, LONG_BLOCK, shift_long);
    c = three_ways(c, &p, &length, SHORT_BLOCK, shift_short);
    uint64_t wide = c;
    for (; length >= 8; p += 8, length -= 8) wide = STEP8(wide, load(p));
    while (length--) wide = STEP1(wide, *p++);
    return ~(uint32_t)wide;
}
#endif

static pthread_once_t choose_once = PTHREAD_ONCE_INIT;
static int use_hardware;

static void choose(void) {
#ifdef HARDWARE
    make_shift(shift_long, LONG_BLOCK);
    make_shift(shift_short, SHORT_BLOCK);
    use_hardware = hardware_present();
#endif
}

uint32_t millrace_crc32c(uint32_t crc, const void *bytes, size_t length) {
    pthread_once(&choose_once, choose);
#ifdef HARDWARE
    if (use_hardware) return hardware(crc, bytes, length);
#endif
    return millrace_crc32c_portable(crc, bytes, length);
}
