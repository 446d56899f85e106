/* message.c */
#include "parts.h"
#include "sock.h"

const luaL_Reg cs_sock_message_methods[] = {{NULL, NULL}};

void cs_open_message(lua_State *L) {
  (void)L;
}
