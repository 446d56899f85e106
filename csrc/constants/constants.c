/* constants.c: numbers by their names. There are some 1,300, of which a program uses a few: each
   becomes a field of its table, csock's own or csock.errno, when it is first asked for, by __index;
   __pairs makes them all. */
#include "../base/rows.h"
#include "../base/errnos.h"
#include "../base/error.h"
#include "../base/parts.h"
#include "../sys/errtext.h"

#define ROWS_OF(file) cs_constants_##file,
static const cs_constant *const constants_rows[] = {CS_CONSTANTS(ROWS_OF) NULL};
static const cs_constant *const errno_rows[] = {ROWS_OF(errno) NULL};
#undef ROWS_OF

/* --- pushing one -------------------------------------------------------------------------- */

/* The value of the name at `idx`; nil for what names no constant. */
static void push_constant(lua_State *L, int idx, const cs_constant *const *rows) {
  size_t len;
  const char *name = lua_type(L, idx) == LUA_TSTRING ? lua_tolstring(L, idx, &len) : NULL;
  if (name != NULL && *name != '\0' && strlen(name) == len)
    for (; *rows != NULL; rows++)
      for (const cs_constant *row = *rows; row->name[0] != '\0'; row++)
        if (strcmp(row->name, name) == 0) {
          lua_pushinteger(L, cs_constant_value(row));
          return;
        }
  lua_pushnil(L);
}

/* The name of the number at `idx`; nil for what is no error's. */
static void push_errno_name(lua_State *L, int idx) {
  int isnum;
  lua_Integer err = lua_tointegerx(L, idx, &isnum);
  lua_pushstring(L, isnum && err > 0 && err <= INT_MAX ? cs_errno_name((int)err) : NULL);
}

/* --- making fields ------------------------------------------------------------------------ */

/* A name and its value are on the top: they become a field of the table at 1, unless the value is
   nil or the table has one of that name. The value stays. */
static void make_field(lua_State *L) {
  lua_pushvalue(L, -2);
  if (lua_rawget(L, 1) == LUA_TNIL && !lua_isnil(L, -2)) {
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_rawset(L, 1);
  }
  lua_pop(L, 1);
  lua_remove(L, -2);
}

static int constants_index(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  push_constant(L, 2, constants_rows);
  make_field(L);
  return 1;
}

static int errno_index(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (lua_type(L, 2) == LUA_TNUMBER)
    push_errno_name(L, 2);
  else
    push_constant(L, 2, errno_rows);
  make_field(L);
  return 1;
}

static int next_field(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (lua_next(L, 1)) return 2;
  lua_pushnil(L);
  return 1;
}

/* Makes the fields of all names, with `both` those of their numbers as well, and returns what
   __pairs does. */
static int every_field(lua_State *L, const cs_constant *const *rows, bool both) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  for (; *rows != NULL; rows++)
    for (const cs_constant *row = *rows; row->name[0] != '\0'; row++) {
      lua_pushstring(L, row->name);
      lua_pushinteger(L, cs_constant_value(row));
      make_field(L);
      if (both) {
        push_errno_name(L, -1);
        make_field(L);
      }
      lua_settop(L, 1);
    }
  lua_pushcfunction(L, next_field);
  lua_insert(L, 1);
  return 2;
}

static int constants_pairs(lua_State *L) {
  return every_field(L, constants_rows, false);
}

static int errno_pairs(lua_State *L) {
  return every_field(L, errno_rows, true);
}

static const luaL_Reg constants_meta[] = {
    {"__index", constants_index},
    {"__pairs", constants_pairs},
    {NULL, NULL},
};

static const luaL_Reg errno_meta[] = {
    {"__index", errno_index},
    {"__pairs", errno_pairs},
    {NULL, NULL},
};

/* --- what users see ------------------------------------------------------------------------ */

/***
The numbers of errors by their names, and their names by the numbers: `csock.errno.EAGAIN` is 11 on
Linux, and `csock.errno[11]` is `"EAGAIN"`. Where two names share a number, the number has the usual
one: `EAGAIN`, not `EWOULDBLOCK`.
Source: Python's modules `errno` and `errno.errorcode`.
@field errno
*/

/***
True: csock speaks IPv6. Whether a host can is another matter.
Source: Python's `socket.has_ipv6`.
@field has_ipv6
*/

/***
The system's text for an errno value.
Source: strerror_r(3), Python's `os.strerror`.
@function strerror
@tparam int errno
@treturn string
@usage print(csock.strerror(csock.errno.ECONNREFUSED)) --> Connection refused
*/
static int constants_strerror(lua_State *L) {
  char text[128];
  lua_pushstring(L, cs_strerror(cs_check_cint(L, 1), text, sizeof text));
  return 1;
}

static const luaL_Reg constants_functions[] = {{"strerror", constants_strerror}, {NULL, NULL}};

/* Gives the table on the top a metatable. */
static void set_meta(lua_State *L, const luaL_Reg *meta) {
  lua_createtable(L, 0, 2);
  cs_setfuncs(L, meta);
  lua_setmetatable(L, -2);
}

void cs_open_constants(lua_State *L) {
  cs_setfuncs(L, constants_functions);
  set_meta(L, constants_meta);
  lua_newtable(L);
  set_meta(L, errno_meta);
  lua_setfield(L, -2, "errno");
  lua_pushboolean(L, 1); /* of the headers, as in Python */
  lua_setfield(L, -2, "has_ipv6");
}
