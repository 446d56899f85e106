/* oom.c: a Lua state whose allocator fails when it is told to, for specs of what csock does then.
   require "spec.faults.oom" gives one function:

   try(file, name, n, lasting) -> ran, fine, message, left
     Runs one snippet of `file` (see allocations.lua) in a fresh state: its `prepare` with memory,
     its `run` with the n-th allocation (from 0) failing, and, when `lasting`, all that follow. Then
     closes the state.
     ran: how many allocations the run asked for; fine: whether it raised no error; message: the
     error; left: bytes of that state that nobody freed.

   A state of its own within this interpreter is as good as a host program of its own, and also
   shows that csock works in several states of one process. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

typedef struct memory {
  long asked;   /* allocations since it was armed */
  long fail_at; /* which of them fails; -1: none */
  bool armed, lasting;
  bool retry; /* Lua collects garbage after a failure and asks again: that fails as well */
  size_t held;
} memory;

static bool refuses(memory *m) {
  if (!m->armed || m->fail_at < 0) return false;
  if (m->retry) {
    m->retry = false;
    return true;
  }
  long n = m->asked++;
  if (n < m->fail_at || (n > m->fail_at && !m->lasting)) return false;
  m->retry = !m->lasting;
  return true;
}

static void *allocate(void *ud, void *block, size_t before, size_t after) {
  memory *m = ud;
  if (block == NULL) before = 0; /* then it is a kind of object */
  if (after == 0) {
    free(block);
    m->held -= before;
    return NULL;
  }
  if (after > before && refuses(m)) return NULL; /* Lua counts on shrinking */
  void *moved = realloc(block, after);
  if (moved == NULL) return NULL;
  m->held += after - before;
  return moved;
}

static int traceback(lua_State *L) {
  if (lua_type(L, 1) == LUA_TSTRING) luaL_traceback(L, L, lua_tostring(L, 1), 1);
  return 1;
}

/* prepare: leaves the snippet's `run` and what `prepare` returned on the stack. */
static int prepare(lua_State *L) {
  const char *file = lua_touserdata(L, 1), *name = lua_touserdata(L, 2);
  luaL_openlibs(L);
  lua_settop(L, 0);
  if (luaL_loadfile(L, file) != LUA_OK) lua_error(L);
  lua_call(L, 0, 1);
  lua_getfield(L, 1, name);
  lua_getfield(L, 2, "run");
  if (lua_getfield(L, 2, "prepare") == LUA_TNIL) {
    lua_pop(L, 1);
  } else {
    lua_call(L, 0, LUA_MULTRET);
  }
  lua_remove(L, 1);
  lua_remove(L, 1);
  return lua_gettop(L);
}

/* The message outlives the state. */
static void keep_message(lua_State *L, char *into, size_t size) {
  memory *m;
  lua_getallocf(L, (void **)&m);
  m->armed = false;
  snprintf(into, size, "%s", luaL_tolstring(L, -1, NULL));
}

static int l_try(lua_State *host) {
  const char *file = luaL_checkstring(host, 1), *name = luaL_checkstring(host, 2);
  memory m = {.fail_at = (long)luaL_checkinteger(host, 3), .lasting = lua_toboolean(host, 4)};
  char message[4096] = "";
#if LUA_VERSION_NUM >= 505
  lua_State *L = lua_newstate(allocate, &m, 0);
#else
  lua_State *L = lua_newstate(allocate, &m);
#endif
  if (L == NULL) return luaL_error(host, "no memory for a state");
  lua_pushcfunction(L, prepare);
  lua_pushlightuserdata(L, (void *)file);
  lua_pushlightuserdata(L, (void *)name);
  if (lua_pcall(L, 2, LUA_MULTRET, 0) != LUA_OK) {
    keep_message(L, message, sizeof message);
    lua_close(L);
    return luaL_error(host, "%s could not be prepared: %s", name, message);
  }
  int args = lua_gettop(L) - 1;
  lua_pushcfunction(L, traceback);
  lua_insert(L, 1);
  m.armed = true;
  bool fine = lua_pcall(L, args, 0, 1) == LUA_OK;
  m.armed = false;
  if (!fine) keep_message(L, message, sizeof message);
  lua_close(L);
  lua_pushinteger(host, m.asked);
  lua_pushboolean(host, fine);
  lua_pushstring(host, message);
  lua_pushinteger(host, (lua_Integer)m.held);
  return 4;
}

__attribute__((visibility("default"))) int luaopen_spec_faults_oom(lua_State *L);

int luaopen_spec_faults_oom(lua_State *L) {
  static const luaL_Reg functions[] = {{"try", l_try}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
