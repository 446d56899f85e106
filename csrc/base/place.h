/* place.h: where in the program something is done: outside of csock's own Lua files. */
#ifndef CS_PLACE_H
#define CS_PLACE_H

#include "../sys/port.h"

#include <lua.h>

/* Whether the function (lua_getinfo "S") is in one of csock's own Lua files. */
bool cs_place_own(lua_State *L, const lua_Debug *at);

/* Pushes "file:line" of the innermost Lua function that is not csock's own, and gives true. Where
   there is none, it is that of the outermost Lua function, or nil: false. */
bool cs_place_push(lua_State *L);

#endif
