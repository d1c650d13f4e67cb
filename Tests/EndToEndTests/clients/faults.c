/* A wall clock that is off and a disk that is slow or broken, for LD_PRELOAD. The file named by FAULTS says which
   faults there are now, one a line:
       clock SECONDS              what the wall clock is ahead
       pwrite TEXT delay MS       writes to files whose path holds TEXT take so long
       pwrite TEXT fail ERRNO     and these fail; fdatasync likewise
   libfaketime sets environment variables as it starts, and a Swift program then no longer finds its arguments. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int faults(char *text, int size) {
    const char *path = getenv("FAULTS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    long count = syscall(SYS_read, file, text, size - 1);
    close(file);
    text[count > 0 ? count : 0] = 0;
    return count > 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
    char text[1024], *line;
    if (faults(text, sizeof text) && (line = strstr(text, "clock "))) now->tv_sec += atol(line + 6);
    return result;
}

/* Whether this call on this file is to fail; waits if it is to be slow. */
static int fault(const char *call, int descriptor) {
    char text[1024], link[64], path[512], *rest, *line;
    if (!faults(text, sizeof text)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    long count = readlink(link, path, sizeof path - 1);
    if (count < 0) return 0;
    path[count] = 0;
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char name[16], part[256], kind[16];
        int value;
        if (sscanf(line, "%15s %255s %15s %d", name, part, kind, &value) != 4) continue;
        if (strcmp(name, call) != 0 || !strstr(path, part)) continue;
        if (strcmp(kind, "delay") == 0) {
            usleep(1000 * value);
        } else {
            errno = value;
            return 1;
        }
    }
    return 0;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t position) {
    if (fault("pwrite", descriptor)) return -1;
    return syscall(SYS_pwrite64, descriptor, bytes, count, position);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t position) {
    return pwrite(descriptor, bytes, count, position);
}

int fdatasync(int descriptor) {
    if (fault("fdatasync", descriptor)) return -1;
    return syscall(SYS_fdatasync, descriptor);
}
