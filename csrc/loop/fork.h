/* fork.h: for hosts that call fork(2) themselves. */
#ifndef CS_FORK_H
#define CS_FORK_H

#include "loop.h"

/* In the child: what csock.fork does there. There must be room for 8 values on the stack. 0 or
   errno; raises nothing. */
int cs_fork_after(lua_State *L, cs_state *state);

#endif
