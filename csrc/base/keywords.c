/* keywords.c: reads tables of options. lua/csock/check.lua does the same for functions in Lua, in
   the same words. */
#include "keywords.h"
#include "buffer.h"

static bool is_known(lua_State *L, int key, const cs_keyword *rows, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (cs_is_text(L, key, rows[i].name)) return true;
  return false;
}

static void refuse_others(lua_State *L, int idx, const cs_keyword *rows, size_t count) {
  for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
    int key = lua_gettop(L) - 1;
    if (!is_known(L, key, rows, count))
      luaL_argerror(L, idx,
                    lua_pushfstring(L, "unknown option '%s'", luaL_tolstring(L, key, NULL)));
  }
}

/* `value` is where it is. */
static void wrong(lua_State *L, int idx, int value, const cs_keyword *row, const char *expected) {
  value = lua_absindex(L, value);
  luaL_argerror(
      L, idx, lua_pushfstring(L, "%s: %s expected, got %s", row->name, expected, cs_got(L, value)));
}

static int read_int(lua_State *L, int idx, const cs_keyword *row, int least, int most) {
  int is_integer, value = lua_gettop(L);
  lua_Integer n = lua_tointegerx(L, value, &is_integer);
  if (lua_type(L, value) != LUA_TNUMBER || !is_integer) wrong(L, idx, value, row, "integer");
  if (n < least || n > most)
    wrong(L, idx, value, row,
          most == INT_MAX ? lua_pushfstring(L, "integer >= %d", least)
                          : lua_pushfstring(L, "integer from %d to %d", least, most));
  return (int)n;
}

static uint64_t read_count(lua_State *L, int idx, const cs_keyword *row) {
  int is_integer, value = lua_gettop(L);
  lua_Integer n = lua_tointegerx(L, value, &is_integer);
  if (lua_type(L, value) != LUA_TNUMBER || !is_integer) wrong(L, idx, value, row, "integer");
  if (n < 0) wrong(L, idx, value, row, "integer >= 0");
  return (uint64_t)n;
}

/* Takes the value on the top, which is none of nil and false. */
static void read_keyword(lua_State *L, int idx, const cs_keyword *row) {
  switch (row->kind) {
  case CS_KEYWORD_FLAG:
    *(bool *)row->to = true;
    break;
  case CS_KEYWORD_INT:
    *(int *)row->to = read_int(L, idx, row, row->least, row->most);
    break;
  case CS_KEYWORD_COUNT:
    *(uint64_t *)row->to = read_count(L, idx, row);
    break;
  case CS_KEYWORD_FD: {
    int fd = read_int(L, idx, row, INT_MIN, INT_MAX);
    if (fd < 0)
      luaL_argerror(L, idx, lua_pushfstring(L, "%s: negative file descriptor", row->name));
    *(int *)row->to = fd;
    break;
  }
  case CS_KEYWORD_TIMEOUT:
    if (!cs_to_timeout(L, -1, (int64_t *)row->to)) wrong(L, idx, -1, row, cs_timeout_words);
    break;
  case CS_KEYWORD_BYTES: {
    cs_keyword_bytes *bytes = (cs_keyword_bytes *)row->to;
    bytes->data = cs_buffer_test(L, -1, &bytes->len);
    if (bytes->data == NULL && lua_type(L, -1) == LUA_TSTRING)
      bytes->data = lua_tolstring(L, -1, &bytes->len);
    if (bytes->data == NULL) wrong(L, idx, -1, row, "string or csock.buffer");
    break;
  }
  }
}

static void turn_off(const cs_keyword *row) {
  if (row->kind == CS_KEYWORD_FLAG) *(bool *)row->to = false;
  if (row->kind == CS_KEYWORD_TIMEOUT) *(int64_t *)row->to = CS_FOREVER;
}

void cs_keywords_read(lua_State *L, int idx, const cs_keyword *rows, size_t count) {
  if (lua_isnoneornil(L, idx)) return;
  luaL_checktype(L, idx, LUA_TTABLE);
  luaL_checkstack(L, (int)count + 8, NULL);
  refuse_others(L, idx, rows, count);
  for (size_t i = 0; i < count; i++) {
    lua_getfield(L, idx, rows[i].name);
    if (lua_isboolean(L, -1) && !lua_toboolean(L, -1))
      turn_off(&rows[i]);
    else if (!lua_isnil(L, -1))
      read_keyword(L, idx, &rows[i]);
    if (rows[i].kind != CS_KEYWORD_BYTES) lua_pop(L, 1);
  }
}
