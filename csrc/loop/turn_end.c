/* turn_end.c: what is done at the end of the loop's turn: streams send what was written in it. */
#include "task.h"

/* A circular list with the loop's `ends` in it, in the order of entering. */

void cs_turn_end_init(cs_turn_end *ends) {
  ends->next = ends->before = ends;
}

bool cs_turn_end_enter(const cs_state *state, cs_turn_end *end) {
  cs_loop *loop = state->loop;
  if (loop == NULL || !loop->running) return false;
  if (end->next != NULL) return true;
  end->next = &loop->ends;
  end->before = loop->ends.before;
  end->before->next = end;
  loop->ends.before = end;
  return true;
}

void cs_turn_end_all(lua_State *L, const cs_state *state) {
  cs_loop *loop = state->loop;
  if (loop == NULL) return;
  loop->put_off = false;
  while (loop->ends.next != &loop->ends) {
    cs_turn_end *end = loop->ends.next;
    cs_turn_end_leave(end);
    end->run(L, end);
  }
}

void cs_turn_end_forget(cs_loop *loop) {
  while (loop->ends.next != &loop->ends) cs_turn_end_leave(loop->ends.next);
}

/* While more comes in, more may be written: one look at what has come is cheaper than sending
   twice, and it is only one, so that nothing waits for long. */
bool cs_turn_end_put_off(lua_State *L, cs_loop *loop) {
  if (loop->ends.next == &loop->ends) return false;
  if (!loop->put_off) {
    loop->put_off = true;
    return true;
  }
  cs_turn_end_all(L, loop->state);
  return false;
}

/* --- tasks for what does not go at once --- */

void cs_turn_end_spawn(lua_State *L, const cs_state *state, int nargs) {
  cs_task_spawn(L, state->loop, nargs);
}

bool cs_turn_end_spawned(lua_State *L, int idx) {
  const cs_task *task = cs_object_test(L, idx, &cs_task_class);
  return task != NULL && task->status < CS_TASK_DONE;
}
