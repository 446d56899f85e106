/* testing.c: what csock.testing needs of the loop: a clock that stands still, and turns that are
   bounded by the system's. */
#include "loop.h"
#include "../base/parts.h"

/* stop(): whether the clock went until now. */
static int testing_stop(lua_State *L) {
  cs_clock *clock = &cs_state_get(L)->clock;
  bool goes = clock->stands == 0;
  if (goes) cs_clock_stop(clock);
  lua_pushboolean(L, goes);
  return 1;
}

/* go(): it goes again, from where it stands. */
static int testing_go(lua_State *L) {
  cs_clock *clock = &cs_state_get(L)->clock;
  if (clock->stands != 0) cs_clock_go(clock);
  return 0;
}

/* now(): the system's clock. */
static int testing_now(lua_State *L) {
  lua_pushnumber(L, cs_clock_to_seconds(cs_clock_now(&cs_clock_system)));
  return 1;
}

/* turn(seconds): one turn of the loop, which really sleeps for so long at the most. */
static int testing_turn(lua_State *L) {
  cs_loop *loop = cs_loop_get(L);
  int64_t seconds = cs_check_timeout(L, 1);
  if (!loop->running) loop->alarm = cs_clock_deadline(&cs_clock_system, seconds);
  int err = cs_loop_run(L, loop, CS_FOREVER, true);
  return cs_result(L, "run", err);
}

static const luaL_Reg testing_functions[] = {{"stop", testing_stop},
                                             {"go", testing_go},
                                             {"now", testing_now},
                                             {"turn", testing_turn},
                                             {NULL, NULL}};

void cs_open_testing(lua_State *L) {
  luaL_getsubtable(L, -1, "testing"); /* for csock.testing alone */
  cs_setfuncs(L, testing_functions);
  lua_pop(L, 1);
}
