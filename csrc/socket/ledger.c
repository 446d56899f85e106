/* ledger.c: the sockets that are listed while debugging. What a program learns of them: listing.c.
 *
 * A socket knows its number. The rest is in two tables: the sockets themselves, as weak values, so
 * that a socket that is collected is gone from there before it is finalized, and one that is
 * finalized since the state is closed is still there; and what is remembered of each. */
#include "ledger.h"
#include "../base/parts.h"
#include "../base/place.h"

#include <stdlib.h>

static const char sockets_key = 's'; /* registry: number -> socket, weak */
static const char notes_key = 'n';   /* registry: number -> {made =, since =} */

void cs_ledger_push_notes(lua_State *L, unsigned id) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &notes_key);
  lua_rawgeti(L, -1, id);
  lua_remove(L, -2);
}

void cs_ledger_enter(lua_State *L, cs_sock *s, const cs_sock *listener) {
  unsigned id = s->w.state->listed + 1;
  luaL_checkstack(L, 8, NULL);
  lua_createtable(L, 0, 2);
  if (!cs_place_push(L) && listener != NULL && listener->id != 0) {
    lua_pop(L, 1);
    cs_ledger_push_notes(L, listener->id);
    lua_getfield(L, -1, "made");
    lua_remove(L, -2);
  }
  lua_setfield(L, -2, "made");
  lua_pushnumber(L, cs_clock_to_seconds(cs_clock_now(&s->w.state->clock)));
  lua_setfield(L, -2, "since");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &notes_key);
  lua_insert(L, -2);
  lua_rawseti(L, -2, id);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &sockets_key);
  lua_pushvalue(L, -3);
  lua_rawseti(L, -2, id);
  lua_pop(L, 2);
  s->w.state->listed = id;
  s->id = id & (INT_MAX >> 1);
}

void cs_ledger_left_open(lua_State *L, const cs_sock *s, const char *text) {
  luaL_checkstack(L, 4, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &sockets_key);
  bool there = lua_rawgeti(L, -1, s->id) != LUA_TNIL;
  lua_pop(L, 2);
  if (!there || !s->w.state->debug) return;
  cs_ledger_push_notes(L, s->id);
  lua_pushliteral(L, "made");
  lua_rawget(L, -2);
  const char *made = lua_tostring(L, -1);
  lua_writestringerror("csock: still open: %s", text);
  lua_writestringerror(", made at %s\n", made != NULL ? made : "?");
  lua_pop(L, 2);
}

void cs_ledger_leave(lua_State *L, const cs_sock *s) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &notes_key);
  lua_pushnil(L);
  lua_rawseti(L, -2, s->id); /* it is there: allocates nothing */
  lua_pop(L, 1);
}

static int compare_entries(const void *a, const void *b) {
  unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
  return (x > y) - (x < y);
}

const unsigned *cs_ledger_push_ids(lua_State *L, size_t *count) {
  size_t room = 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &notes_key); /* of those that are being collected, too */
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) room++;
  unsigned *ids = (unsigned int *)lua_newuserdatauv(L, room * sizeof *ids, 0);
  *count = 0;
  for (lua_pushnil(L); lua_next(L, -3) != 0 && *count < room; lua_pop(L, 1))
    ids[(*count)++] = (unsigned)lua_tointeger(L, -2);
  lua_remove(L, -2);
  qsort(ids, *count, sizeof *ids, compare_entries);
  return ids;
}

void cs_ledger_push_sockets(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &sockets_key);
}

void cs_open_ledger(lua_State *L) {
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &notes_key);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &sockets_key);
}
