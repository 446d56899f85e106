/* select.c */
#include "parts.h"
#include "sock.h"


void cs_open_select(lua_State *L) {
  (void)L;
}
