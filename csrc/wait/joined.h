/* joined.h: a task's wait for one of several descriptors. */
#ifndef CS_JOINED_H
#define CS_JOINED_H

#include "records.h"

typedef struct cs_joined {
  const cs_class *cls;
  cs_watched w;       /* a poller of its own, which is readable when one of them has an event */
  cs_link link;       /* in the loop's list */
  cs_op *op;          /* that waits for it, once it does: its `joined` is this */
  struct pollfd *fds; /* part of the object in the user value */
  unsigned nfds;
} cs_joined;

/* Makes one for the op's descriptors and pushes it: its w is to be waited on. Or NULL and `*err`,
   with nothing pushed: ENOSYS, EMFILE and others where the system cannot make one. */
cs_joined *cs_joined_begin(lua_State *L, cs_loop *loop, const cs_op *op, int *err);
void cs_joined_end(cs_loop *loop, cs_joined *j);

void cs_joined_open(lua_State *L);

#endif
