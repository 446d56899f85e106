/* kevent.h: kevent objects, for kqueue.c. */
#ifndef CS_KEVENT_H
#define CS_KEVENT_H

#include "../base/args.h"

#if CS_HAVE_KQUEUE
#include <sys/event.h>
#include <sys/time.h>

/* Pushes a new one, which is all zeros. */
struct kevent *cs_kevent_push(lua_State *L);

/* That of the value at `idx`, or NULL. */
struct kevent *cs_kevent_test(lua_State *L, int idx);

#endif

#endif
