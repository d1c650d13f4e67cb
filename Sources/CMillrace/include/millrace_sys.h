// What Glibc's module does not show to Swift: epoll, eventfd, timerfd, sendfile, accept4, statx.
#pragma once
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/timerfd.h>
#include <stddef.h>
#include <stdint.h>

/// The system's words for an error number, ended by 0.
void millrace_describe_error(int code, char *buffer, size_t size);

/// Has a spawned process close all descriptors from `first` on; 0, or an error number.
int millrace_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/// How often the calling thread has given up its processor by itself, to wait; −1 if unknown.
long millrace_thread_sleeps(void);
