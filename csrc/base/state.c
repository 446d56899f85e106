/* state.c: the record of one Lua state. */
#include "state.h"

static const cs_class state_class = {"csock.state"};

void cs_state_make(lua_State *L) {
  if (cs_state_get(L) != NULL) return; /* memory ran out when the module was first opened */
  cs_class_make(L, &state_class, NULL, NULL);
  cs_state *state = cs_object_new(L, &state_class, sizeof *state, 1);
  state->default_timeout = CS_FOREVER;
  state->scratch = lua_newuserdatauv(L, CS_SCRATCH, 0);
  lua_setiuservalue(L, -2, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &state_class.name);
}

cs_state *cs_state_get(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_class.name);
  cs_state *state = lua_touserdata(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  return state;
}

bool cs_may_retry(lua_State *L, int err, bool *tried) {
  if ((err != EMFILE && err != ENFILE) || *tried) return false;
  *tried = true;
  lua_gc(L, LUA_GCCOLLECT);
  return true;
}
