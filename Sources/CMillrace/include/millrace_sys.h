// What Glibc's module does not show to Swift: epoll, eventfd, timerfd, sendfile, accept4, preadv2, statx.
#pragma once
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/timerfd.h>
