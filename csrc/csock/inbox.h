/* inbox.h: what other threads have the state call. Posting takes no lock and no memory: the calls
   are the posters' own, in a list whose last comes first; the state's thread takes all of it at
   once. */
#ifndef CS_INBOX_H
#define CS_INBOX_H

#include "../sys/atomic.h"

#include <lua.h>

struct csock_inbox {
  atomic_uintptr_t posted;    /* the last call that was posted, in any thread; 0: there is none */
  struct csock_call *taken;   /* the first of those that the state's thread has taken */
  struct csock_call *current; /* the one that is to be called next */
  int waker;                  /* for csock_wakeup */
};

/* From any thread, and from signal handlers. */
void cs_inbox_put(struct csock_inbox *inbox, struct csock_call *call);

/* Makes the calls in their order; the task in which that happens is on the top of the stack. One
   for which there is no memory is given back. Raises nothing. Needs room for 4 values. */
void cs_inbox_run(lua_State *L, struct csock_inbox *inbox);

/* Gives all calls back to their posters, which are told so. Raises nothing. */
void cs_inbox_drop(struct csock_inbox *inbox);

#endif
