/* stream.c */
#include "parts.h"
#include "sock.h"

const luaL_Reg cs_sock_stream_methods[] = {{NULL, NULL}};

void cs_open_stream(lua_State *L) {
  (void)L;
}
