/* state.c: the record of one Lua state. */
#include "state.h"
#include "../sys/pointers.h"

#include <stdlib.h>

static const cs_class state_class = {"csock.state"};

/* Where the record is: on the stack of a thread in the registry. All that is in the registry itself
   programs can reach by debug.getregistry; but not what lies on the stack of a thread that runs no
   function, nor the metatable that nothing else has. If a program takes the thread out of there,
   the record comes back when it is collected: objects point at it as long as the state is open. */
static const char state_key = 's';

cs_state *cs_state_find(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
  lua_State *thread = lua_tothread(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  return thread != NULL ? (cs_state *)cs_object_test(thread, 1, &state_class) : NULL;
}

static int state_lost(lua_State *L) {
  return luaL_error(L, "csock's record was taken out of the registry");
}

cs_state *cs_state_get(lua_State *L) {
  cs_state *state = cs_state_find(L);
  if (state == NULL) state_lost(L);
  return state;
}

/* Puts the record on the top into a thread, and that under the key in the registry; pops it. */
static void keep(lua_State *L, const void *key) {
  lua_State *thread = lua_newthread(L);
  lua_insert(L, -2);
  lua_xmove(L, thread, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

/* What the record has outside of Lua. Where it is needed still, that is known no more of any
   number: each is asked for, and goes on being counted. */
static void free_numbers(cs_state *state) {
  free(state->given);
  free(state->known);
  state->given = state->known = NULL;
  state->given_size = state->known_size = 0;
}

static int state_gc(lua_State *L) {
  cs_state *state = (cs_state *)lua_touserdata(L, 1);
  const cs_state *there = cs_state_find(L);
  free_numbers(state); /* now, since this may be the end, after which nothing would */
  if (there != state && state->kept) { /* somebody has taken it away */
    lua_getmetatable(L, 1);
    lua_setmetatable(L, 1); /* once more */
    lua_settop(L, 1);
    keep(L, there == NULL ? (const void *)&state_key : state);
    return 0;
  }
  /* The Lua state is being closed. The record was made before whatever is counted in it, so it goes
     after that. */
  if (state->policed) cs_pointers_remove(lua_topointer(L, LUA_REGISTRYINDEX));
  return 0;
}

void cs_state_make(lua_State *L) {
  if (cs_state_find(L) != NULL)
    return; /* by a host; or memory ran out when the module was opened */
  if (cs_pointers_has(lua_topointer(L, LUA_REGISTRYINDEX))) state_lost(L);
  cs_state *state = (cs_state *)lua_newuserdatauv(L, sizeof *state, CS_STATE_VALUES);
  memset(state, 0, sizeof *state);
  state->cls = &state_class;
  state->default_timeout = CS_FOREVER;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, state_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  state->scratch = (char *)lua_newuserdatauv(L, CS_SCRATCH, 0);
  lua_setiuservalue(L, -2, CS_STATE_SCRATCH);
  keep(L, &state_key);
  state->kept = true;
}

void cs_state_begin(lua_State *L) {
  cs_pointers_remove(lua_topointer(L, LUA_REGISTRYINDEX));
  cs_state_make(L);
}

void cs_state_keep(lua_State *L, int value) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
  lua_State *thread = lua_tothread(L, -1);
  lua_pop(L, 1);
  if (thread == NULL || lua_gettop(thread) != 1) state_lost(L);
  lua_pushvalue(L, -1);
  lua_xmove(L, thread, 1);
  lua_setiuservalue(thread, 1, value);
}

int cs_state_police(lua_State *L, cs_state *state) {
  int err = state->policed ? 0 : cs_pointers_add(lua_topointer(L, LUA_REGISTRYINDEX));
  if (err == 0) state->policed = true;
  return err;
}

void cs_state_log(lua_State *L, const char *what, const char *text) {
  const cs_state *state = cs_state_get(L);
  if (state->log != NULL) {
    state->log(state->host, what, text);
    return;
  }
  lua_writestringerror("csock: %s: ", what);
  lua_writestringerror("%s\n", text);
}

/* How often garbage is collected when there are descriptors that may have been forgotten since the
   last time, and when there are only those that were in use then. */
#define NEW_NS INT64_C(1000000000)
#define OLD_NS INT64_C(10000000000)

bool cs_may_retry(lua_State *L, int err, bool *tried) {
  if ((err != EMFILE && err != ENFILE) || *tried) return false;
  *tried = true;
  cs_state *state = cs_state_get(L);
  int64_t pause = state->held > state->held_then ? NEW_NS : OLD_NS;
  if (state->held == 0) return false;
  if (state->collected != 0 && cs_clock_now(&cs_clock_system) - state->collected < pause)
    return false;
  lua_gc(L, LUA_GCCOLLECT);
  state->collected = cs_clock_now(&cs_clock_system);
  state->held_then = state->held;
  return true;
}
