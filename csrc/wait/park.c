/* park.c: how a task comes to wait for what its operation wants. */
#include "records.h"

cs_task *cs_park_task(lua_State *L, cs_loop *loop, const char *call) {
  cs_task *task = loop->current;
  if (task->status != CS_TASK_RUNNING) return NULL;
  if (!lua_isyieldable(L) || loop->stuck)
    luaL_error(L,
               "%s would wait where Lua cannot yield "
               "(in a metamethod, iterator or callback that C code called)",
               call);
  if (L != loop->innermost)
    luaL_error(L,
               "%s would wait in a coroutine that coroutine.resume entered; "
               "in a task, enter it with csock.resume or csock.wrap",
               call);
  return task;
}

int cs_park(lua_State *L, cs_task *task, int want, bool again) {
  cs_loop *loop = task->loop;
  cs_op *op = &task->op;
  int err = 0;
  task->until = op->deadline == 0 ? CS_FOREVER : op->deadline;
  switch (want) {
  case CS_READABLE:
  case CS_WRITABLE:
  case CS_ANY:
    if (want == CS_ANY)
      err = cs_joined_begin(L, task);
    else
      err = cs_park_on(task, op->w, want, again);
    if (err != EPERM && (want != CS_ANY || (err != ENOSYS && err != EMFILE && err != ENFILE)))
      break;
    err = 0; /* no poller can watch that, or none of its own can be made: look now and then */
    /* FALLTHROUGH */
  case CS_PAUSE: {
    int64_t next = cs_clock_deadline(CS_PAUSE_NS);
    if (next < task->until) task->until = next;
    break;
  }
  case CS_AWAIT:
    task->outside = !task->daemon;
    loop->events_waited += task->outside;
    /* FALLTHROUGH */
  case CS_PARK:
    if (op->ptr != NULL) (op->flags ? cs_waitq_prepend : cs_waitq_append)(op->ptr, task);
    break;
  case CS_YIELD:
    /* In the middle of an operation the task keeps its place, so that nobody's bytes come between
       its own; its timer ends the wait. */
    if (again && op->line != 0 && cs_park_on(task, op->w, op->line, true) == 0) {
      task->until = cs_clock_now() + 1;
      break;
    }
    task->until = CS_FOREVER;
    cs_task_enter(task);
    return 0;
  }
  if (err != 0) return err;
  /* A timer that stands earlier is left there: it finds out when it fires. */
  if (task->until != CS_FOREVER && (task->timer.place == 0 || task->timer.when > task->until)) {
    err = cs_timers_set(&loop->timers, &task->timer, task->until);
    if (err != 0) {
      cs_task_withdraw(task);
      cs_park_over(L, task);
      return err;
    }
  }
  task->status = CS_TASK_WAITING;
  return 0;
}

void cs_park_over(lua_State *L, cs_task *task) {
  if (task->joined == NULL) return;
  cs_joined_end(task);
  lua_pop(L, 1);
}
