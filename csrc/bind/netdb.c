/* netdb.c */
#include "parts.h"
#include "sock.h"


void cs_open_netdb(lua_State *L) {
  (void)L;
}
