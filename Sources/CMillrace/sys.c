#define _GNU_SOURCE
#include "millrace_sys.h"
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

void millrace_describe_error(int code, char *buffer, size_t size) {
    const char *name = strerrordesc_np(code);
    snprintf(buffer, size, "%s", name ? name : "unknown error");
}

int millrace_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

long millrace_thread_sleeps(void) {
    struct rusage used;
    return getrusage(RUSAGE_THREAD, &used) == 0 ? used.ru_nvcsw : -1;
}
