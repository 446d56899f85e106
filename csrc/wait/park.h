/* park.h: a task begins to wait. */
#ifndef CS_PARK_H
#define CS_PARK_H

#include "records.h"

/* Suspends the current task until what its operation wants (CS_READABLE ...) has come; `again`: it
   has waited for this before, and keeps its place. Does not return then: the task goes on in
   `resumed`, with the task as its context. Returns an errno value when it cannot wait; ECANCELED
   while the task is being closed. Raises in a coroutine inside the task that csock.resume did not
   enter, and where Lua cannot yield. */
int cs_park(lua_State *L, cs_loop *loop, cs_op *op, int want, bool again, lua_KFunction resumed);

/* In `resumed`: takes back the operation that was kept, unless it is to be restarted, and undoes
   what parking left on the stack. */
void cs_park_over(lua_State *L, cs_task *task, cs_op *op);

/* The task will not go on in its operation: what it waited in is given up. */
void cs_park_drop(cs_task *task);

/* Whether the current task can be suspended here: raises, naming the `call`, or returns false while
   the task is being closed. */
bool cs_park_possible(lua_State *L, cs_loop *loop, const char *call);

#endif
