/* driver.h: the one place that waits. */
#ifndef CS_DRIVER_H
#define CS_DRIVER_H

#include "op.h"

/* Runs the op to its end; returns the number of results on the stack. Called last, as
   `return cs_drive(L, &op);`. Raises only what the interpreter's hook raises (Ctrl-C), what the
   attempt raises, and, in a task's inner coroutine, that it cannot wait there. */
int cs_drive(lua_State *L, cs_op *op);

/* Whether an operation in that line (CS_READABLE, CS_WRITABLE), which may wait, can make its first
   try before all preparation: that is wasted when it succeeds at once. Nobody is before it, and its
   task has something left of its share; `why`: it has waited for its turn already. When the try has
   succeeded or failed, cs_drive_passed follows; when it would block, cs_drive, with `tried`. */
bool cs_drive_first(cs_watched *w, int line, cs_why why);
void cs_drive_passed(cs_watched *w, int line);

/* Whether waiting keeps nobody from going on who should: not in what the loop calls back. */
bool cs_may_wait(const cs_state *state);

/* Whether a task runs now: its sockets are better non-blocking from birth. */
bool cs_in_task(const cs_state *state);

#endif
