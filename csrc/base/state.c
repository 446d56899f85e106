/* state.c: the record of one Lua state. */
#include "state.h"

#include <stdlib.h>

static const cs_class state_class = {"csock.state"};

/* It is made before whatever is counted in it, so it goes after that. */
static int state_gc(lua_State *L) {
  cs_state *state = (cs_state *)cs_object_check(L, 1, &state_class);
  free(state->given);
  state->given = NULL;
  state->given_size = 0;
  return 0;
}

void cs_state_make(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", state_gc}, {NULL, NULL}};
  if (cs_state_get(L) != NULL) return; /* by a host; or memory ran out when the module was opened */
  cs_class_make(L, &state_class, NULL, meta);
  cs_state *state = (cs_state *)cs_object_new(L, &state_class, sizeof *state, 1);
  state->default_timeout = CS_FOREVER;
  state->scratch = (char *)lua_newuserdatauv(L, CS_SCRATCH, 0);
  lua_setiuservalue(L, -2, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &state_class.name);
}

cs_state *cs_state_get(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_class.name);
  cs_state *state = (cs_state *)lua_touserdata(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  return state;
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
