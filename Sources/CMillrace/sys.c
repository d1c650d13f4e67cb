#define _GNU_SOURCE
#include "millrace_sys.h"
#include <sys/uio.h>

long millrace_read_cached(int descriptor, void *buffer, size_t count, int64_t position) {
    struct iovec vector = {buffer, count};
    return preadv2(descriptor, &vector, 1, position, RWF_NOWAIT);
}
