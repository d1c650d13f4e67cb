#define _GNU_SOURCE
#include "millrace_net.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

static int set(int socket, int level, int option, int value) {
    return setsockopt(socket, level, option, &value, sizeof value);
}

int millrace_accept(int listener, struct sockaddr_storage *peer, socklen_t *length) {
    return accept4(listener, (struct sockaddr *)peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int millrace_stream_socket(int family) {
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int millrace_set_reuse_address(int socket) { return set(socket, SOL_SOCKET, SO_REUSEADDR, 1); }
int millrace_set_no_delay(int socket) { return set(socket, IPPROTO_TCP, TCP_NODELAY, 1); }
int millrace_set_ipv6_only(int socket, int on) {
    return set(socket, IPPROTO_IPV6, IPV6_V6ONLY, on);
}
int millrace_set_send_buffer(int socket, int bytes) {
    return set(socket, SOL_SOCKET, SO_SNDBUF, bytes);
}
int millrace_set_receive_buffer(int socket, int bytes) {
    return set(socket, SOL_SOCKET, SO_RCVBUF, bytes);
}

int millrace_set_keep_alive(int socket, int idle_seconds, int user_timeout_ms) {
    if (set(socket, SOL_SOCKET, SO_KEEPALIVE, 1)) return -1;
    if (set(socket, IPPROTO_TCP, TCP_KEEPIDLE, idle_seconds)) return -1;
    if (set(socket, IPPROTO_TCP, TCP_KEEPINTVL, idle_seconds / 4 + 1)) return -1;
    if (set(socket, IPPROTO_TCP, TCP_KEEPCNT, 4)) return -1;
    return set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms);
}

int millrace_socket_error(int socket) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) ? errno : error;
}

uint64_t millrace_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return 0;
    if (limit.rlim_cur != limit.rlim_max) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit)) limit.rlim_cur = before;
    }
    return limit.rlim_cur;
}

void millrace_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

int millrace_name_thread(const char *name) { return pthread_setname_np(pthread_self(), name); }
