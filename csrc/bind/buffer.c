/* buffer.c */
#include "parts.h"
#include "sock.h"


void cs_open_buffer(lua_State *L) {
  (void)L;
}
