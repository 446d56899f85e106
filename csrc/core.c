/* core.c: luaopen_csock_core: the list of the parts, nothing else. */
#include "base/parts.h"
#include "csock.h"

#define ENTRY(part) cs_open_##part,
static void (*const parts[])(lua_State *L) = {CS_PARTS(ENTRY)};
#undef ENTRY

/* Where it is a part of a host's library, that says so. */
#if defined(CS_EXPORT)
#elif defined(__GNUC__)
#define CS_EXPORT __attribute__((visibility("default")))
#else
#define CS_EXPORT
#endif

CS_EXPORT int luaopen_csock_core(lua_State *L);

static const char opened_key = 'o'; /* registry: the module */

/* Whoever clears package.loaded gets the same module again: the objects of the first one live on,
   and so do its classes and what its state holds. */
int luaopen_csock_core(lua_State *L) {
  luaL_checkversion(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &opened_key) != LUA_TNIL) return 1;
  cs_state_make(L);
  lua_createtable(L, 0, 1600);
  for (size_t i = 0; i < CS_COUNT(parts); i++) parts[i](L);
  lua_pushliteral(L, "csock " CSOCK_VERSION);
  lua_setfield(L, -2, "_VERSION");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &opened_key);
  return 1;
}
