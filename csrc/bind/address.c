/* address.c */
#include "parts.h"
#include "sock.h"


void cs_open_address(lua_State *L) {
  (void)L;
}
