#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* one definition of fd_set for all modules */
#endif
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <event2/thread.h>
