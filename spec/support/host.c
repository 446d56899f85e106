/* host.c: a host program with several Lua states, each of which a spec drives as its own.
   require "spec.support.host" gives a function:

   host() -> state
   state:run(chunk) -> what the chunk returned as text, or raises
   state:start(chunk)  the same in a thread of its own; state:join() waits for it
   state:close()       lua_close; what is left open then was leaked */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

typedef struct state {
  lua_State *L;
  pthread_t thread;
  bool started, failed;
} state;

static const char class_name[] = "spec.host.state";

static state *check_state(lua_State *L) {
  state *s = luaL_checkudata(L, 1, class_name);
  if (s->L == NULL) luaL_error(L, "the state is closed");
  if (s->started) luaL_error(L, "the state is busy");
  return s;
}

static int traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

/* Runs the function on the state's stack, and leaves its result or error there as a string. */
static void *run(void *argument) {
  state *s = argument;
  lua_pushcfunction(s->L, traceback);
  lua_insert(s->L, 1);
  s->failed = lua_pcall(s->L, 0, 1, 1) != LUA_OK;
  luaL_tolstring(s->L, -1, NULL);
  lua_replace(s->L, 1);
  lua_settop(s->L, 1);
  return NULL;
}

static int give_result(lua_State *L, state *s) {
  lua_pushstring(L, lua_tostring(s->L, 1));
  lua_settop(s->L, 0);
  return s->failed ? lua_error(L) : 1;
}

static void load(lua_State *L, state *s) {
  size_t len;
  const char *chunk = luaL_checklstring(L, 2, &len);
  if (luaL_loadbuffer(s->L, chunk, len, "=chunk") == LUA_OK) return;
  lua_pushstring(L, lua_tostring(s->L, -1));
  lua_settop(s->L, 0);
  lua_error(L);
}

static int state_run(lua_State *L) {
  state *s = check_state(L);
  load(L, s);
  run(s);
  return give_result(L, s);
}

static int state_start(lua_State *L) {
  state *s = check_state(L);
  load(L, s);
  s->started = pthread_create(&s->thread, NULL, run, s) == 0;
  if (!s->started) return luaL_error(L, "no thread");
  return 0;
}

static int state_join(lua_State *L) {
  state *s = luaL_checkudata(L, 1, class_name);
  if (!s->started) return luaL_error(L, "it was not started");
  pthread_join(s->thread, NULL);
  s->started = false;
  return give_result(L, s);
}

static int state_close(lua_State *L) {
  state *s = luaL_checkudata(L, 1, class_name);
  if (s->started) pthread_join(s->thread, NULL);
  s->started = false;
  if (s->L != NULL) lua_close(s->L);
  s->L = NULL;
  return 0;
}

static int host(lua_State *L) {
  state *s = lua_newuserdatauv(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  luaL_setmetatable(L, class_name);
  s->L = luaL_newstate();
  if (s->L == NULL) return luaL_error(L, "no memory for a state");
  luaL_openlibs(s->L);
  return 1;
}

__attribute__((visibility("default"))) int luaopen_spec_support_host(lua_State *L);

int luaopen_spec_support_host(lua_State *L) {
  static const luaL_Reg methods[] = {{"run", state_run},
                                     {"start", state_start},
                                     {"join", state_join},
                                     {"close", state_close},
                                     {NULL, NULL}};
  luaL_newmetatable(L, class_name);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, state_close);
  lua_setfield(L, -2, "__close");
  lua_pushcfunction(L, state_close);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, host);
  return 1;
}
