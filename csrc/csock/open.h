/* open.h: the core, for what hosts call. */
#ifndef CS_OPEN_H
#define CS_OPEN_H

#include "../sys/port.h"

#include <lua.h>

/* Pushes the core's module, which is opened if need be. Makes room on the stack for 8 values more.
 */
void cs_open_push(lua_State *L);

#endif
