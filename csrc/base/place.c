/* place.c: where in the program something is done: outside of csock's own Lua files. */
#include "place.h"
#include "parts.h"

static const char root_key = 'o'; /* registry: how the names of csock's own files begin, or nil */

#define DEPTH 200 /* functions that are looked at */

bool cs_place_own(lua_State *L, const lua_Debug *at) {
  luaL_checkstack(L, 1, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &root_key);
  size_t len;
  const char *root = lua_tolstring(L, -1, &len);
  lua_pop(L, 1); /* the registry keeps it */
  return root != NULL && strncmp(at->source, root, len) == 0 &&
         (at->source[len] == '/' || strcmp(at->source + len, ".lua") == 0);
}

bool cs_place_push(lua_State *L) {
  lua_Debug at, last;
  bool found = false, own = true;
  for (int level = 0; own && level < DEPTH && lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "Sl", &at);
    if (at.currentline <= 0) continue;
    own = cs_place_own(L, &at);
    found = true;
    last = at;
  }
  luaL_checkstack(L, 3, NULL);
  if (found)
    lua_pushfstring(L, "%s:%d", last.short_src, last.currentline);
  else
    lua_pushnil(L);
  return !own;
}

/* "@DIRECTORY/csock", from the file that asks for the core: DIRECTORY/csock.lua, or one of those in
   DIRECTORY/csock/. */
void cs_open_place(lua_State *L) {
  lua_Debug at;
  for (int level = 1; lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "Sl", &at);
    if (at.currentline <= 0) continue;
    const char *root = NULL;
    if (at.source[0] != '@') return;
    for (const char *s = at.source + 1; (s = strstr(s, "csock")) != NULL; s += 5)
      if ((s[-1] == '/' || s[-1] == '@') && (s[5] == '/' || strcmp(s + 5, ".lua") == 0)) root = s;
    if (root == NULL) return;
    lua_pushlstring(L, at.source, (size_t)(root + 5 - at.source));
    lua_rawsetp(L, LUA_REGISTRYINDEX, &root_key);
    return;
  }
}
