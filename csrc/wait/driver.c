/* driver.c: runs operations to their end: tries, and waits in between: by poll(2), or by parking
   the task. */
#include "driver.h"
#include "interrupt.h"
#include "records.h"
#include "unpark.h"

/* --- waiting --- */

static const cs_loop_calls *driver_loop_calls(lua_State *L) {
  return cs_state_get(L)->loop_calls;
}

/* Waits, outside any task, for what the attempt asked. 0, ETIMEDOUT, or an errno value. */
static int wait_blocking(lua_State *L, cs_op *op, int want) {
  if (want == CS_ANY) return cs_sleep_poll(L, op->fds, op->nfds, op->deadline);
  if (want == CS_PARK && op->ptr != NULL)
    return driver_loop_calls(L)->run(L, driver_loop_calls(L)->get(L), op->deadline, true);
  if (want == CS_YIELD) return 0;
  if (want == CS_PARK) return cs_sleep_poll(L, NULL, 0, op->deadline);
  if (want == CS_PAUSE) {
    int64_t until = cs_clock_deadline(&cs_state_get(L)->clock, CS_PAUSE_NS);
    if (until >= op->deadline) return cs_sleep_poll(L, NULL, 0, op->deadline);
    int err = cs_sleep_poll(L, NULL, 0, until);
    return err == ETIMEDOUT ? 0 : err;
  }
  struct pollfd p = {.fd = op->w->fd, .events = (short)(want == CS_READABLE ? POLLIN : POLLOUT)};
  return cs_sleep_poll(L, &p, 1, op->deadline);
}

/* --- driving --- */

static int end_with(lua_State *L, cs_op *op, int err) {
  return op->fail != NULL ? op->fail(L, op, err) : cs_fail(L, op->call, err);
}

/* Whether what the op works on has been closed meanwhile. */
static inline bool gone(const cs_op *op) {
  const cs_watched *w = op->w;
  return w != NULL && (w->fd < 0 || ((w->flags & CS_W_CLOSED) && !op->outlives));
}

static int resumed(lua_State *L, int status, lua_KContext context);

/* Suspends the task until what the attempt asked for has come. */
static int suspend(lua_State *L, cs_loop *loop, cs_op *op, int want, bool again) {
  if (*loop->here == 0) driver_loop_calls(L)->renew(L, loop);
  if (L != loop->innermost && cs_main_thread(L) == L) { /* a finalizer: the task closes the state */
    loop->current = NULL;
    return cs_drive(L, op);
  }
  return end_with(L, op, loop->state->loop_calls->park(L, loop, op, want, again, resumed));
}

/* Whether a first try would be in vain: the poller has reported nothing since the last one, or
   others have been waiting longer. */
static bool in_vain(const cs_loop *loop, const cs_watched *w, int line) {
  if (line == CS_READABLE)
    return (w->flags & (CS_W_LOOP | CS_W_WATCHED | CS_W_INPUT)) == loop->generation ||
           cs_waitq_in_use(&w->readers);
  if (line == CS_WRITABLE) return cs_waitq_in_use(&w->writers);
  return false;
}

/* After an operation: what it left for others to read, or the room to write, is the next one's. The
   poller says nothing of it, since nothing has changed. Who is in no line may have used either. */
static void pass_turn(cs_watched *w, int line) {
  if (w == NULL) return;
  if (line != CS_WRITABLE) cs_watched_readers_next(w);
  if (line != CS_READABLE) cs_watched_writers_next(w);
}

/* Whether the current task has had its share of this turn, and can be suspended here. */
static bool ask_spent(lua_State *L, cs_loop *loop) {
  return --loop->budget < 0 && L == loop->innermost && lua_isyieldable(L) && !loop->stuck &&
         loop->current->status == CS_TASK_RUNNING;
}

/* Whether who waited stands before all others now. */
static bool has_place(cs_why why) {
  return why != CS_WHY_NONE && why != CS_WHY_FIRST;
}

/* The driver in a task. `why`: it has waited, so its turn has come. */
static int drive_task(lua_State *L, cs_loop *loop, cs_op *op, cs_why why) {
  int n;
  bool again = has_place(why) || op->begun;
  if (why == CS_WHY_DEADLINE) return end_with(L, op, ETIMEDOUT);
  if (!again && ask_spent(L, loop)) {
    op->tried = false; /* what comes meanwhile, nobody is told of */
    return suspend(L, loop, op, CS_YIELD, false);
  }
  for (;;) {
    if (gone(op)) {
      pass_turn(op->w, op->line); /* the streams over it go on */
      return end_with(L, op, EBADF);
    }
    if (op->tried || (!again && op->timeout != 0 && in_vain(loop, op->w, op->line))) {
      n = op->line;
      op->tried = false;
    } else {
      n = op->attempt(L, op);
      if (n >= 0) {
        pass_turn(op->w, op->line);
        return n;
      }
      if (n == CS_READABLE) op->w->flags &= ~CS_W_READ;
      if (n == CS_WRITABLE) op->w->flags &= ~CS_W_WRITE;
    }
    if (op->timeout == 0) {
      if (n == CS_AGAIN) continue;
      return end_with(L, op, EAGAIN);
    }
    const cs_clock *clock = &loop->state->clock;
    if (op->deadline == 0) op->deadline = cs_clock_deadline(clock, op->timeout);
    if (n != CS_AGAIN) return suspend(L, loop, op, n, again || n == CS_YIELD);
    if (cs_clock_left(clock, op->deadline) == 0) {
      pass_turn(op->w, op->line);
      return end_with(L, op, ETIMEDOUT);
    }
    if (ask_spent(L, loop)) return suspend(L, loop, op, CS_YIELD, true);
  }
}

/* The continuation of every operation that has waited. */
static int resumed(lua_State *L, int status, lua_KContext context) {
  cs_op op;
  cs_task *task = (cs_task *)context;
  cs_loop *loop = task->loop;
  (void)status;
  if (loop->current != task) return luaL_error(L, "only the loop may resume a waiting task");
  loop->state->loop_calls->park_over(L, task, &op);
  if (task->why == CS_WHY_INTERRUPT) return cs_interrupt_raise(L, task);
  if (task->restart != NULL) return task->restart(L, (cs_why)task->why);
  return drive_task(L, loop, &op, (cs_why)task->why);
}

int cs_drive(lua_State *L, cs_op *op) {
  const cs_state *state = op->w != NULL ? op->w->state : cs_state_get(L);
  cs_loop *loop = state->loop;
  bool in_task = loop != NULL && loop->current != NULL;
  cs_why why = in_task ? (cs_why)op->why : CS_WHY_NONE;
  if (why != CS_WHY_NONE) op->deadline = loop->current->deadline;
  if (op->closed) {
    if (why != CS_WHY_NONE) pass_turn(op->w, op->line);
    return end_with(L, op, EBADF);
  }
  if (in_task) return drive_task(L, loop, op, why);
  for (bool tried = op->tried;; tried = false) {
    if (gone(op)) return end_with(L, op, EBADF);
    int n = tried ? op->line : op->attempt(L, op);
    if (n >= 0) return n;
    int err = 0;
    if (op->timeout != 0) {
      if (op->deadline == 0) op->deadline = cs_clock_deadline(&state->clock, op->timeout);
      if (n != CS_AGAIN)
        err = wait_blocking(L, op, n);
      else if (cs_clock_left(&state->clock, op->deadline) == 0)
        err = ETIMEDOUT;
    } else if (n != CS_AGAIN) {
      err = EAGAIN;
    }
    if (err != 0) return end_with(L, op, err);
  }
}

bool cs_drive_first(cs_watched *w, int line, cs_why why) {
  cs_loop *loop = w->state->loop;
  if (loop == NULL) return true;
  if (loop->current == NULL)
    return !cs_waitq_in_use(line == CS_READABLE ? &w->readers : &w->writers);
  if (has_place(why)) return why != CS_WHY_DEADLINE;
  if (loop->budget <= 0 || in_vain(loop, w, line)) return false;
  loop->budget--;
  return true;
}

void cs_drive_passed(cs_watched *w, int line) {
  cs_loop *loop = w->state->loop;
  if (loop == NULL || loop->current == NULL) return;
  pass_turn(w, line);
}

bool cs_may_wait(const cs_state *state) {
  return state->loop == NULL || !state->loop->running || state->loop->current != NULL;
}

bool cs_in_task(const cs_state *state) {
  return state->loop != NULL && state->loop->current != NULL;
}
