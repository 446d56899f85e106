/* block.c: what csock.wire.headers does with the tables of its blocks (push.c): checks, puts
   together, and writes as they are sent. */
#include "push.h"
#include "syntax.h"
#include "../base/parts.h"

/* is_name(value): whether it can be the name of a field, or a method: a token. */
static int is_name(lua_State *L) {
  size_t n = 0;
  const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &n) : NULL;
  lua_pushboolean(L, n > 0 && cs_http_span_of(name, n, CS_HTTP_TOKEN_CHAR) == n);
  return 1;
}

/* is_value(value): whether it can be the value of a field. */
static int is_value(lua_State *L) {
  size_t n;
  bool text = lua_type(L, 1) == LUA_TSTRING;
  const char *value = text ? lua_tolstring(L, 1, &n) : NULL;
  lua_pushboolean(L, text && cs_http_syntax_line(value, n));
  return 1;
}

/* Whether one of the tables from `first` to `last` has the key at the top. */
static bool has(lua_State *L, int first, int last) {
  for (int i = first; i <= last; i++) {
    if (lua_isnil(L, i)) continue;
    lua_pushvalue(L, -1);
    bool there = lua_rawget(L, i) != LUA_TNIL;
    lua_pop(L, 1);
    if (there) return true;
  }
  return false;
}

/* merge(block, ...): a table of the fields of these blocks, some of which may be nil: those of a
   later one are in the place of those of the same names in the ones before. */
static int merge(lua_State *L) {
  int count = lua_gettop(L);
  lua_Integer at = 0;
  lua_Unsigned room = 0;
  for (int i = 1; i <= count; i++) {
    if (lua_isnil(L, i)) continue;
    luaL_checktype(L, i, LUA_TTABLE);
    lua_rawgeti(L, i, 1);
    luaL_argcheck(L, lua_istable(L, -1), i, "block expected");
    lua_replace(L, i);
    room += lua_rawlen(L, i);
  }
  luaL_argcheck(L, room < INT_MAX, 1, "too many fields");
  luaL_checkstack(L, 8, NULL);
  lua_createtable(L, (int)room, (int)room / 2);
  int table = lua_gettop(L);
  for (int i = 1; i <= count; i++) {
    lua_Integer n = lua_isnil(L, i) ? 0 : (lua_Integer)lua_rawlen(L, i);
    for (lua_Integer j = 1; j < n; j += 2) {
      size_t len;
      lua_rawgeti(L, i, j + 1);
      lua_rawgeti(L, i, j);
      const char *name = luaL_checklstring(L, -1, &len);
      cs_http_push_lower(L, name, len);
      bool replaced = has(L, i + 1, count);
      lua_rotate(L, -3, 2); /* name, key, value */
      lua_insert(L, -2);
      if (replaced)
        lua_pop(L, 3);
      else
        cs_http_push_field(L, table, at++);
    }
  }
  return 1;
}

/* Adds what is at the top, and takes it. */
static void add_text(lua_State *L, luaL_Buffer *b) {
  if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "a field is a %s", luaL_typename(L, -1));
  luaL_addvalue(b);
}

/* encode(block[, method, target, framing]): its lines; of a request, the whole head, in which the
   lines `framing` come last. */
static int encode(lua_State *L) {
  luaL_Buffer b;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 4);
  lua_rawgeti(L, 1, 1);
  luaL_argcheck(L, lua_istable(L, -1), 1, "block expected");
  lua_replace(L, 1);
  bool request = !lua_isnil(L, 2);
  luaL_buffinit(L, &b);
  if (request) {
    lua_pushvalue(L, 2);
    add_text(L, &b);
    luaL_addchar(&b, ' ');
    lua_pushvalue(L, 3);
    add_text(L, &b);
    luaL_addstring(&b, " HTTP/1.1\r\n");
  }
  lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
  for (lua_Integer i = 1; i < n; i += 2) {
    lua_rawgeti(L, 1, i);
    add_text(L, &b);
    luaL_addlstring(&b, ": ", 2);
    lua_rawgeti(L, 1, i + 1);
    add_text(L, &b);
    luaL_addlstring(&b, "\r\n", 2);
  }
  if (request) {
    lua_pushvalue(L, 4);
    add_text(L, &b);
    luaL_addlstring(&b, "\r\n", 2);
  }
  luaL_pushresult(&b);
  return 1;
}

void cs_open_http_block(lua_State *L) {
  static const luaL_Reg functions[] = {{"encode", encode},
                                       {"is_name", is_name},
                                       {"is_value", is_value},
                                       {"merge", merge},
                                       {NULL, NULL}};
  lua_getfield(L, -1, "http");
  cs_setfuncs(L, functions);
  lua_pop(L, 1);
}
