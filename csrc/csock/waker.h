/* waker.h: the descriptor by which other threads reach a state's loop. */
#ifndef CS_WAKER_H
#define CS_WAKER_H

#include "../sys/port.h"

#include <lua.h>

/* Closes both ends, if there are any. Needs room for 4 values on the stack; raises nothing. */
void cs_waker_close(lua_State *L);

#endif
