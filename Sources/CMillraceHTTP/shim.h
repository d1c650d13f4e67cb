#pragma once
// Glibc's own module differs in fd_set between static and dynamic builds, and a second definition that
// does not match stops the compiler now and then. Nothing here needs select: its header is left out.
#define _SYS_SELECT_H 1
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <event2/thread.h>
