/* omitted.c: says of the groups that a host has left out (CSOCK_OMIT_*) that they are not here, and
   of the loop's functions has those that have a meaning where nothing but the caller runs. */
#include "base/parts.h"
#include "wait/driver.h"

#ifdef CS_OMITTED

/* Upvalues: the function's name, and the macro. */
static int omitted_call(lua_State *L) {
  return luaL_error(L, "%s is not in this csock: it was built with %s",
                    lua_tostring(L, lua_upvalueindex(1)), lua_tostring(L, lua_upvalueindex(2)));
}

static void push_call(lua_State *L, const char *table, const char *name, const char *macro) {
  lua_pushfstring(L, "%s.%s", table, name);
  lua_pushstring(L, macro);
  lua_pushcclosure(L, omitted_call, 2);
}

/* Upvalues: the table's name, and the macro. */
static int omitted_index(lua_State *L) {
  luaL_checktype(L, 2, LUA_TSTRING);
  push_call(L, lua_tostring(L, lua_upvalueindex(1)), lua_tostring(L, 2),
            lua_tostring(L, lua_upvalueindex(2)));
  return 1;
}

/* A table on the top: what it has not, raises when it is called. */
static inline void make_absent(lua_State *L, const char *name, const char *macro) {
  lua_createtable(L, 0, 1);
  lua_pushstring(L, name);
  lua_pushstring(L, macro);
  lua_pushcclosure(L, omitted_index, 2);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

#ifdef CSOCK_OMIT_LOOP

static int alone_now(lua_State *L) {
  lua_pushnumber(L, cs_clock_to_seconds(cs_clock_now(&cs_state_get(L)->clock)));
  return 1;
}

static int alone_current(lua_State *L) {
  lua_pushnil(L);
  return 1;
}

static int alone_running(lua_State *L) {
  lua_pushboolean(L, 0);
  return 1;
}

static int alone_yield(lua_State *L) {
  lua_pushboolean(L, 1);
  return 1;
}

static int alone_attempt(lua_State *L, cs_op *op) {
  (void)L, (void)op;
  return CS_PARK;
}

static int alone_over(lua_State *L, cs_op *op, int err) {
  if (err != ETIMEDOUT) return cs_fail(L, op->call, err);
  return alone_yield(L);
}

static int alone_sleep(lua_State *L) {
  cs_op op;
  luaL_checknumber(L, 1);
  int64_t timeout = cs_check_timeout(L, 1);
  if (timeout == 0) return alone_yield(L);
  cs_op_init(&op, "sleep", alone_attempt, NULL, timeout);
  op.fail = alone_over;
  return cs_drive(L, &op);
}

static const luaL_Reg alone_functions[] = {{"now", alone_now},         {"current", alone_current},
                                           {"running", alone_running}, {"yield", alone_yield},
                                           {"sleep", alone_sleep},     {NULL, NULL}};

#endif

void cs_open_omitted(lua_State *L) {
#ifdef CSOCK_OMIT_LOOP
  lua_newtable(L);
  cs_setfuncs(L, alone_functions);
  make_absent(L, "loop", "CSOCK_OMIT_LOOP");
  lua_setfield(L, -2, "loop");
  push_call(L, "csock", "fork", "CSOCK_OMIT_LOOP");
  lua_setfield(L, -2, "fork");
  lua_newtable(L);
  make_absent(L, "service", "CSOCK_OMIT_LOOP");
  lua_setfield(L, -2, "service");
#endif
#ifdef CSOCK_OMIT_REACTOR
  lua_getfield(L, -1, "loop");
  lua_newtable(L);
  make_absent(L, "hub", "CSOCK_OMIT_REACTOR");
  lua_setfield(L, -2, "hub");
  lua_pop(L, 1);
#endif
#ifdef CSOCK_OMIT_POLL
  push_call(L, "csock", "select", "CSOCK_OMIT_POLL");
  lua_setfield(L, -2, "select");
  push_call(L, "csock", "poll", "CSOCK_OMIT_POLL");
  lua_setfield(L, -2, "poll");
#endif
#ifdef CSOCK_OMIT_HTTP
  lua_newtable(L);
  make_absent(L, "http", "CSOCK_OMIT_HTTP");
  lua_setfield(L, -2, "http");
#endif
#ifdef CSOCK_OMIT_CODING
  lua_newtable(L);
  make_absent(L, "coding", "CSOCK_OMIT_CODING");
  lua_setfield(L, -2, "coding");
  lua_newtable(L);
  make_absent(L, "file", "CSOCK_OMIT_CODING");
  lua_setfield(L, -2, "file");
#endif
#ifdef CSOCK_OMIT_WEBSOCKET
  lua_newtable(L);
  make_absent(L, "websocket", "CSOCK_OMIT_WEBSOCKET");
  lua_setfield(L, -2, "websocket");
#endif
}

#endif
