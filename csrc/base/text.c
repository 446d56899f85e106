/* text.c: cuts a string into lines, for csock.protocol's receivers. */
#include "args.h"
#include "parts.h"
#include "../sys/bytes.h"

/* split(list, data, at, delimiter, limit, most): puts lines, without their delimiters, in the list
   from 1 on: those that end in `data` from its byte `at` on; no more than `most`, and none behind
   one of more than `limit` bytes. Returns how many. */
static int split(lua_State *L) {
  size_t len, n;
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *data = luaL_checklstring(L, 2, &len);
  lua_Integer at = cs_check_int(L, 3, 1, (lua_Integer)len + 1);
  const char *delimiter = luaL_checklstring(L, 4, &n);
  lua_Number limit = luaL_checknumber(L, 5); /* math.huge is one */
  lua_Integer most = luaL_checkinteger(L, 6), count = 0;
  const char *from = data + at - 1, *end = data + len, *found;
  if (n == 0) return luaL_argerror(L, 4, "empty delimiter");
  while (count < most && (found = cs_find(from, (size_t)(end - from), delimiter, n)) != NULL &&
         (lua_Number)(found - from) <= limit) {
    lua_pushlstring(L, from, (size_t)(found - from));
    lua_rawseti(L, 1, ++count);
    from = found + n;
  }
  lua_pushinteger(L, count);
  return 1;
}

void cs_open_text(lua_State *L) {
  lua_getfield(L, -1, "loop");
  lua_getfield(L, -1, "hub");
  lua_pushcfunction(L, split);
  lua_setfield(L, -2, "split");
  lua_pop(L, 2);
}
