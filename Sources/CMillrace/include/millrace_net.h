// Socket calls that Glibc's module does not show to Swift, or shows without their types.
#pragma once
#include <stdint.h>
#include <sys/socket.h>

/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC.
int millrace_accept(int listener, struct sockaddr_storage *peer, socklen_t *length);
/// socket of type SOCK_STREAM with SOCK_NONBLOCK and SOCK_CLOEXEC.
int millrace_stream_socket(int family);
/// setsockopt of one int at level SOL_SOCKET, IPPROTO_TCP or IPPROTO_IPV6.
int millrace_set_reuse_address(int socket);
int millrace_set_no_delay(int socket);
int millrace_set_keep_alive(int socket, int idle_seconds, int user_timeout_ms);
int millrace_set_ipv6_only(int socket, int on);
int millrace_set_send_buffer(int socket, int bytes);
int millrace_set_receive_buffer(int socket, int bytes);
/// The pending error of a socket (SO_ERROR), or errno if it cannot be asked.
int millrace_socket_error(int socket);
/// Raises the soft limit of descriptors to the hard one; gives the soft limit in force.
uint64_t millrace_raise_descriptor_limit(void);
/// Names the calling thread, at most 15 bytes.
int millrace_name_thread(const char *name);
/// Ignores SIGPIPE: sendfile and libraries cannot be told not to raise it.
void millrace_ignore_sigpipe(void);
