/* memory.c: what is raised where there is no memory: the same as Lua raises. */
#include "tls.h"

int tls_no_memory(lua_State *L) {
  ERR_clear_error();
  return luaL_error(L, "not enough memory");
}

void tls_no_memory_if(lua_State *L) {
  bool none = tls_is_memory(ERR_peek_error());
  ERR_clear_error();
  if (none) tls_no_memory(L);
}
