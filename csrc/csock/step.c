/* step.c: the loop as a part of a host's own: what csock.h says of it. */
#include "../loop/fork.h"
#include "../wait/announce.h"
#include "../wait/unpark.h"
#include "open.h"
#include "waker.h"
#include "../csock.h"

/* Opens csock where nobody has. */
static cs_loop *step_loop(lua_State *L) {
  cs_open_push(L);
  lua_pop(L, 1);
  return cs_loop_get(L);
}

/* The loop as far as there is one. */
static cs_loop *loop_made(lua_State *L) {
  const cs_state *state = lua_checkstack(L, 8) ? cs_state_find(L) : NULL;
  return state != NULL ? state->loop : NULL;
}

int csock_fd(lua_State *L) {
  const cs_loop *loop = step_loop(L);
  return loop->poller != NULL ? loop->ops->fileno(loop->poller) : -1;
}

double csock_timeout(lua_State *L) {
  cs_loop *loop = loop_made(L);
  if (loop == NULL) return -1;
  int64_t left = cs_announce_due(loop);
  return left != CS_FOREVER ? cs_clock_to_seconds(left) : -1;
}

/* --- the host's loop watches --- */

int csock_set_watcher(lua_State *L, csock_watch watch, csock_timer timer, void *ud) {
  luaL_checkstack(L, 8, NULL);
  cs_state *state = cs_state_find(L);
  if (watch == NULL || timer == NULL) return EINVAL;
  if (state == NULL) {
    cs_state_begin(L);
    state = cs_state_get(L);
  }
  if (state->loop != NULL || state->watcher.watch != NULL) return EBUSY;
  state->watcher.watch = watch;
  state->watcher.ud = ud;
  state->timer = timer;
  state->due_told = CS_FOREVER;
  return 0;
}

int csock_feed(lua_State *L, int fd, unsigned events) {
  cs_loop *loop = loop_made(L);
  if (loop == NULL || loop->poller == NULL || loop->ops != &cs_poller_of_host) return EINVAL;
  if (events == 0 || (events & ~(CS_READ | CS_WRITE | CS_HANGUP)) != 0) return EINVAL;
  int err = cs_poller_host_feed(loop->poller, fd, events);
  if (!loop->running) cs_announce(loop);
  return err;
}

/* --- a step --- */

typedef struct step_call {
  cs_loop *loop;
  int64_t timeout, budget;
} step_call;

static int nanoseconds(double seconds, int64_t *ns) {
  *ns = CS_FOREVER;
  return seconds < 0 ? 0 : cs_clock_from_seconds(seconds, ns);
}

/* One turn, or with a budget as many as find something to do. What an earlier step has left of a
   turn is none where nothing was left to do. */
static int step_turns(lua_State *L) {
  const step_call *call = (const step_call *)lua_touserdata(L, 1);
  cs_loop *loop = call->loop;
  const cs_clock *clock = &loop->state->clock;
  int64_t deadline = call->timeout == 0 ? 0 : cs_clock_deadline(clock, call->timeout);
  bool rest, resumed, more;
  loop->stopped = false;
  do {
    unsigned before = loop->resumable;
    rest = loop->stopped_in != 0;
    int err = cs_loop_run(L, loop, deadline, true);
    if (err != 0 && err != ETIMEDOUT && err != EDEADLK) {
      cs_fail(L, "step", err);
      lua_pop(L, 1);
      return lua_error(L);
    }
    resumed = loop->resumable != before;
    more = resumed || !cs_waitq_empty(&loop->ready);
    if (more) deadline = 0;
  } while (((more && call->budget != 0) || (rest && !resumed)) && loop->stopped_in == 0 &&
           !loop->stopped);
  return 0;
}

/* Whether a turn could find anything, without asking the poller, which nobody wants to hear from.
 */
static bool loop_idle(const cs_loop *loop) {
  const cs_timer *timer = cs_timers_first(&loop->timers);
  return cs_waitq_empty(&loop->ready) && loop->next == loop->count && loop->asking == 0 &&
         loop->stopped_in == 0 && cs_list_first(&loop->ends) == NULL && !loop->running &&
         (timer == NULL || cs_clock_left(&loop->state->clock, timer->when) > 0);
}

int csock_step(lua_State *L, double timeout, double budget) {
  step_call call;
  call.loop = loop_made(L);
  if (call.loop == NULL) return 0;
  if (nanoseconds(timeout, &call.timeout) != 0) call.timeout = 0;
  if (nanoseconds(budget, &call.budget) != 0 || call.budget == CS_FOREVER) call.budget = 0;
  cs_loop *loop = call.loop;
  cs_state *state = loop->state;
  bool nested = loop->running;
  state->due_told = -1; /* its timer has gone off, perhaps: it is told again */
  if (call.timeout == 0 && *loop->here != 0 && loop_idle(loop)) {
    cs_announce(loop);
    return (int)loop->live;
  }
  if (!nested) {
    loop->allowance = call.budget;
    if (call.budget != 0) loop->spent_at = cs_clock_deadline(&cs_clock_system, call.budget);
    loop->resumable = state->step_tasks;
    if (call.budget != 0 && loop->resumable == 0) loop->resumable = UINT_MAX;
  }
  lua_pushcfunction(L, step_turns);
  lua_pushlightuserdata(L, &call);
  int status = state->pcall != NULL ? state->pcall(L, 1, 0, state->host) : lua_pcall(L, 1, 0, 0);
  if (!nested) loop->allowance = loop->resumable = 0;
  return status == LUA_OK ? (int)loop->live : -1;
}

/* --- tasks --- */

typedef struct task_end {
  csock_done done;
  void *ud;
} task_end;

static int tell_end(lua_State *L) {
  const task_end *e = (const task_end *)lua_touserdata(L, lua_upvalueindex(1));
  cs_task *task = (cs_task *)lua_touserdata(L, 1);
  if (task->status == CS_TASK_CANCELLED) {
    e->done(L, CSOCK_CANCELLED, 0, e->ud);
    return 0;
  }
  int status = task->status == CS_TASK_DONE ? CSOCK_DONE : CSOCK_FAILED;
  int n = cs_task_results(L, task);
  e->done(L, status, n, e->ud);
  return 0;
}

void csock_spawn(lua_State *L, int nargs, csock_done done, void *ud) {
  cs_loop *loop = step_loop(L);
  if (done == NULL) {
    cs_task_spawn(L, loop, nargs);
    return;
  }
  task_end *e = (task_end *)lua_newuserdatauv(L, sizeof *e, 0);
  e->done = done;
  e->ud = ud;
  lua_pushcclosure(L, tell_end, 1);
  lua_insert(L, -nargs - 2);
  cs_task *task = cs_task_spawn(L, loop, nargs);
  task->observed = true;
  lua_pushvalue(L, -2);
  lua_setiuservalue(L, -2, CS_TASK_CALLBACKS);
  lua_remove(L, -2);
}

/* --- the end --- */

int csock_after_fork(lua_State *L) {
  if (!lua_checkstack(L, 8)) return ENOMEM;
  cs_state *state = cs_state_find(L);
  if (state == NULL) return 0;
  if (state->loop != NULL && state->loop->running) return EBUSY;
  int err = cs_fork_after(L, state);
  cs_waker_close(L);
  return err;
}

/* Daemons too. */
static int cancel_all(lua_State *L) {
  cs_task_push_all(L);
  for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, 1); i++) { /* more may come meanwhile */
    lua_rawgeti(L, 1, i);
    cs_task *task = (cs_task *)cs_object_test(L, -1, &cs_task_class);
    if (task != NULL && task->status < CS_TASK_DONE) cs_task_cancel(L, task);
    lua_pop(L, 1);
  }
  cs_waker_close(L);
  return 0;
}

int csock_close(lua_State *L) {
  cs_loop *loop = loop_made(L);
  if (loop == NULL) return 0;
  if (loop->running) return EBUSY;
  lua_pushcfunction(L, cancel_all);
  if (lua_pcall(L, 0, 0, 0) == LUA_OK) return 0;
  lua_pop(L, 1);
  return ENOMEM;
}
