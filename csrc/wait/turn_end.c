/* turn_end.c: what is done at the end of the loop's turn: streams send what was written in it. */
#include "turn_end.h"
#include "records.h"

bool cs_turn_end_enter(const cs_state *state, cs_turn_end *end) {
  cs_loop *loop = state->loop;
  if (loop == NULL || !loop->running) return false;
  if (end->link.next == NULL) cs_list_append(&loop->ends, &end->link);
  return true;
}

void cs_turn_end_leave(const cs_state *state, cs_turn_end *end) {
  if (end->link.next != NULL) cs_list_remove(&state->loop->ends, &end->link);
}

void cs_turn_end_all(lua_State *L, const cs_state *state) {
  cs_loop *loop = state->loop;
  if (loop == NULL) return;
  loop->put_off = false;
  for (cs_link *link; (link = cs_list_take(&loop->ends)) != NULL;) {
    cs_turn_end *end = CS_MEMBER_OF(link, cs_turn_end, link);
    end->run(L, end);
  }
}

void cs_turn_end_forget(cs_loop *loop) {
  while (cs_list_take(&loop->ends) != NULL) continue;
}

/* While more comes in, more may be written: one look at what has come is cheaper than sending
   twice, and it is only one, so that nothing waits for long. */
bool cs_turn_end_put_off(lua_State *L, cs_loop *loop) {
  if (loop->ends.last == NULL) return false;
  if (!loop->put_off) {
    loop->put_off = true;
    return true;
  }
  cs_turn_end_all(L, loop->state);
  return false;
}

/* --- tasks for what does not go at once --- */

void cs_turn_end_spawn(lua_State *L, const cs_state *state, int nargs) {
  state->loop_calls->spawn(L, state->loop, nargs);
}

bool cs_turn_end_spawned(lua_State *L, const cs_state *state, int idx) {
  return state->loop_calls != NULL && state->loop_calls->lives(L, idx);
}
