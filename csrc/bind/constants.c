/* constants.c */
#include "parts.h"
#include "sock.h"

const char *cs_errno_name(int err) {
  (void)err;
  return NULL;
}

void cs_open_constants(lua_State *L) {
  (void)L;
}
