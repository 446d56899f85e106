/* options.c */
#include "parts.h"
#include "sock.h"

const luaL_Reg cs_sock_option_methods[] = {{NULL, NULL}};

void cs_open_options(lua_State *L) {
  (void)L;
}
