/* args.c: argument checks, and fields of tables. */
#include "args.h"

/* --- arguments --- */

static int range_error(lua_State *L, int arg, lua_Integer min, lua_Integer max) {
  return luaL_argerror(L, arg,
                       lua_pushfstring(L, "number between %I and %I expected, got %s",
                                       (LUAI_UACINT)min, (LUAI_UACINT)max,
                                       luaL_tolstring(L, arg, NULL)));
}

lua_Integer cs_check_int(lua_State *L, int arg, lua_Integer min, lua_Integer max) {
  lua_Integer n = luaL_checkinteger(L, arg);
  if (n < min || n > max) range_error(L, arg, min, max);
  return n;
}

lua_Integer cs_opt_int(lua_State *L, int arg, lua_Integer dflt, lua_Integer min, lua_Integer max) {
  return lua_isnoneornil(L, arg) ? dflt : cs_check_int(L, arg, min, max);
}

int cs_check_cint(lua_State *L, int arg) {
  return (int)cs_check_int(L, arg, INT_MIN, INT_MAX);
}

size_t cs_check_size_other(lua_State *L, int arg) {
  lua_Integer n = luaL_checkinteger(L, arg);
  if (n < 0) range_error(L, arg, 0, INT_MAX);
  return n > INT_MAX ? (size_t)INT_MAX : (size_t)n; /* no call moves more than that at once */
}

size_t cs_opt_size(lua_State *L, int arg, size_t dflt) {
  return lua_isnoneornil(L, arg) ? dflt : cs_check_size(L, arg);
}

const char *cs_got(lua_State *L, int idx) {
  if (lua_type(L, idx) == LUA_TNUMBER) return luaL_tolstring(L, idx, NULL);
  return lua_isnone(L, idx) ? "no value" : luaL_typename(L, idx);
}

const char cs_timeout_words[] = "seconds >= 0";

bool cs_to_timeout(lua_State *L, int idx, int64_t *ns) {
  return lua_type(L, idx) == LUA_TNUMBER && cs_clock_from_seconds(lua_tonumber(L, idx), ns) == 0;
}

int64_t cs_check_timeout(lua_State *L, int arg) {
  int64_t ns = 0;
  if (lua_isnoneornil(L, arg)) return CS_FOREVER;
  if (!cs_to_timeout(L, arg, &ns))
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "%s expected, got %s", cs_timeout_words, cs_got(L, arg)));
  return ns;
}

void cs_push_timeout(lua_State *L, int64_t ns) {
  if (ns == CS_FOREVER)
    lua_pushnil(L);
  else
    lua_pushnumber(L, cs_clock_to_seconds(ns));
}

const char *cs_check_cstring(lua_State *L, int arg) {
  size_t len;
  luaL_checktype(L, arg, LUA_TSTRING);
  const char *s = lua_tolstring(L, arg, &len);
  if (strlen(s) != len) luaL_argerror(L, arg, "string contains a zero byte");
  return s;
}

bool cs_is_text(lua_State *L, int idx, const char *text) {
  size_t len;
  if (lua_type(L, idx) != LUA_TSTRING) return false;
  const char *s = lua_tolstring(L, idx, &len);
  return len == strlen(text) && memcmp(s, text, len) == 0;
}

void cs_opt_range(lua_State *L, int arg, size_t len, size_t *from, size_t *to) {
  lua_Integer n = (lua_Integer)len;
  lua_Integer i = luaL_optinteger(L, arg, 1), j = luaL_optinteger(L, arg + 1, -1);
  if (i < 0) i = i < -n ? 1 : n + i + 1;
  if (i == 0) i = 1;
  if (j < 0) j = j < -n ? 0 : n + j + 1;
  if (j > n) j = n;
  *from = i > n ? len : (size_t)(i - 1);
  *to = j < i ? *from : (size_t)j;
}

/* Calls the method `name` of the value at `arg`, where it has one: whether it gave an integer. */
static bool fd_from_method(lua_State *L, int arg, const char *name, int *fd) {
  if (!lua_istable(L, arg) && luaL_getmetafield(L, arg, "__index") == LUA_TNIL) return false;
  if (lua_getfield(L, arg, name) == LUA_TNIL) return false;
  lua_pushvalue(L, arg);
  lua_call(L, 1, 1);
  int isnum;
  lua_Integer n = lua_tointegerx(L, -1, &isnum);
  if (!isnum || n < -1 || n > INT_MAX) return false;
  *fd = (int)n;
  return true;
}

/* The descriptor of the value at `idx`; false when it is nothing that has one. */
static bool find_fd(lua_State *L, int idx, int *fd) {
  if (lua_type(L, idx) == LUA_TNUMBER) {
    int isnum;
    lua_Integer n = lua_tointegerx(L, idx, &isnum);
    *fd = n < 0 ? -1 : (int)n;
    return isnum && n >= INT_MIN && n <= INT_MAX;
  }
  luaL_Stream *file = (luaL_Stream *)luaL_testudata(L, idx, LUA_FILEHANDLE);
  if (file != NULL) {
    *fd = file->closef == NULL || file->f == NULL ? -1 : fileno(file->f);
    return true;
  }
  int top = lua_gettop(L);
  idx = lua_absindex(L, idx);
  luaL_checkstack(L, 8, NULL);
  bool found = fd_from_method(L, idx, "fileno", fd) || fd_from_method(L, idx, "getfd", fd);
  lua_settop(L, top);
  return found;
}

static const char fd_expected[] =
    "socket, stream, file, descriptor, or object with a fileno method";

int cs_check_fd(lua_State *L, int arg) {
  int fd = -1;
  if (lua_type(L, arg) == LUA_TNUMBER) { /* which says what is wrong with others */
    fd = cs_check_cint(L, arg);
    return fd < 0 ? -1 : fd;
  }
  if (!find_fd(L, arg, &fd)) luaL_typeerror(L, arg, fd_expected);
  return fd;
}

int cs_item_fd(lua_State *L, int arg, lua_Integer i) {
  int fd = -1;
  if (!find_fd(L, -1, &fd))
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "[%I]: %s expected, got %s", (LUAI_UACINT)i, fd_expected,
                                  luaL_tolstring(L, -1, NULL)));
  return fd;
}

/* --- tables --- */

void cs_set_int(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

void cs_set_string(lua_State *L, const char *name, const char *value) {
  if (value == NULL) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}
