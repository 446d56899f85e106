/* turn_end.h: the end of the loop's turn, for those who have something to do then. */
#ifndef CS_TURN_END_H
#define CS_TURN_END_H

#include "../base/state.h"

/* Something to be done once before the loop sleeps; part of an object that leaves when it ends.
   `run` raises nothing. */
typedef struct cs_turn_end {
  cs_link link; /* next NULL: not entered */
  void (*run)(lua_State *L, struct cs_turn_end *end);
} cs_turn_end;

/* False: the loop does not run, there is no turn that could end. Entering twice is once. */
bool cs_turn_end_enter(const cs_state *state, cs_turn_end *end);
void cs_turn_end_leave(const cs_state *state, cs_turn_end *end);

/* Does now what was to be done. */
void cs_turn_end_all(lua_State *L, const cs_state *state);

/* Pushes a task that runs the function and `nargs` arguments on the top of the stack (which it
   takes); whether the value at `idx` is such a task, and not over yet. */
void cs_turn_end_spawn(lua_State *L, const cs_state *state, int nargs);
bool cs_turn_end_spawned(lua_State *L, const cs_state *state, int idx);

/* --- for the loop --- */

void cs_turn_end_forget(struct cs_loop *loop); /* nothing is done */

/* Whether the turn's end is to wait until the poller was asked, without sleeping; else it is done
   now. */
bool cs_turn_end_put_off(lua_State *L, struct cs_loop *loop);

#endif
