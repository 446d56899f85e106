/* loop.c: the event loop: turns, events, timers, and the waits of tasks. Tasks as objects: task.c.
 */
#include "loop.h"
#include "parts.h"
#include "../sys/fd.h"
#include "../sys/forkmark.h"

#include <stdlib.h>

static const cs_class loop_class = {"csock.loop"};
static const char report_key = 'r'; /* registry: the function that is told of unhandled errors */

#define EVENTS   512      /* in one turn */
#define SHORT_NS 50000000 /* 50 ms: see sleep_for_events */

/* --- the loop --- */

static const int closing = 1; /* instead of the fork mark, while the state is being closed */

static int loop_gc(lua_State *L) {
  cs_loop *loop = cs_object_check(L, 1, &loop_class);
  if (loop->poller != NULL) loop->ops->free(loop->poller);
  loop->poller = NULL;
  free(loop->events);
  loop->events = NULL;
  loop->next = loop->count = 0;
  loop->current = NULL; /* the state may be closed from within a task */
  cs_timers_free(&loop->timers);
  if (loop->here != &closing) cs_forkmark_free(loop->here);
  loop->here = &closing;
  return 0;
}

cs_loop *cs_loop_get(lua_State *L) {
  cs_state *state = cs_state_get(L);
  if (state->loop != NULL) {
    if (*state->loop->here == 0) cs_loop_renew(L, state->loop);
    return state->loop;
  }
  const char *name = getenv("CSOCK_BACKEND");
  const cs_poller_ops *ops = cs_poller_find(name != NULL && *name != '\0' ? name : NULL);
  if (ops == NULL) luaL_error(L, "CSOCK_BACKEND: this system has no '%s'", name);
  cs_loop *loop = cs_object_new(L, &loop_class, sizeof *loop, 0);
  loop->state = state;
  loop->ops = ops;
  loop->watched = CS_H_WATCHED;
  cs_turn_init(&loop->ends);
  int err = (loop->here = cs_forkmark_make()) == NULL ? ENOMEM : ops->make(&loop->poller);
  if (err == 0 && (loop->events = malloc(EVENTS * sizeof *loop->events)) == NULL) err = ENOMEM;
  if (err != 0) {
    cs_fail(L, "loop", err);
    lua_pop(L, 1);
    lua_error(L);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loop_class.name);
  state->loop = loop;
  return loop;
}

int cs_loop_forked(lua_State *L, cs_loop *loop) {
  if (loop->poller != NULL) loop->ops->free(loop->poller); /* the child's copy of its descriptor */
  loop->poller = NULL;
  cs_task_drop_all(L, loop);
  cs_turn_forget(loop);
  loop->next = loop->count = 0;
  loop->hub = (cs_hub){.turn = 0};
  loop->watched += CS_H_LOOP & -CS_H_LOOP; /* what is watched is so no more */
  int err = loop->ops->make(&loop->poller);
  cs_forkmark_set(loop->here, err == 0);
  return err;
}

void cs_loop_renew(lua_State *L, cs_loop *loop) {
  luaL_checkstack(L, 8, NULL);
  int err = cs_loop_forked(L, loop);
  if (err != 0) {
    cs_fail(L, "loop", err);
    lua_pop(L, 1);
    lua_error(L);
  }
}

/* --- queues --- */

void cs_queue_append(cs_queue *q, cs_task *task) {
  if (q->last == NULL) {
    task->next = task;
  } else {
    task->next = q->last->next;
    q->last->next = task;
  }
  q->last = task;
  task->queue = q;
}

void cs_queue_prepend(cs_queue *q, cs_task *task) {
  cs_task *last = q->last;
  cs_queue_append(q, task);
  if (last != NULL) q->last = last; /* the circle's start is then the new one */
}

cs_task *cs_queue_take(cs_queue *q) {
  cs_task *last = q->last;
  if (last == NULL) return NULL;
  cs_task *first = last->next;
  if (first == last)
    q->last = NULL;
  else
    last->next = first->next;
  first->queue = NULL;
  return first;
}

void cs_task_withdraw(cs_task *task) {
  if (task->outside) {
    task->outside = false;
    task->loop->events_waited--;
  }
  cs_queue *q = task->queue;
  if (q == NULL) return;
  cs_task *before = q->last;
  while (before->next != task) before = before->next;
  before->next = task->next;
  if (q->last == task) q->last = before == task ? NULL : before;
  task->queue = NULL;
}

static void enter_ready(cs_task *task) {
  task->status = CS_TASK_READY;
  task->round = task->loop->round;
  cs_queue_append(&task->loop->ready, task);
}

void cs_task_ready(cs_task *task) {
  cs_task_withdraw(task);
  task->timed_out = false;
  enter_ready(task);
}

void cs_wake(cs_queue *q, bool all) {
  cs_task *task;
  while ((task = cs_queue_take(q)) != NULL) {
    cs_task_ready(task);
    if (!all) {
      task->turn = q; /* to be passed on; with all awake there is nobody left */
      q->woken++;
      return;
    }
  }
}

/* --- handles --- */

int cs_loop_watch(cs_loop *loop, cs_handle *h) {
  if (!(h->flags & CS_H_NONBLOCK)) {
    int err = cs_fd_set_nonblock(h->fd, true);
    if (err != 0) return err;
    h->flags |= CS_H_NONBLOCK;
  }
  int err = loop->ops->add(loop->poller, h->fd, h, &h->slot);
  h->next = NULL;
  h->flags &= ~(CS_H_LOOP | CS_H_WATCHED | CS_H_READ | CS_H_WRITE | CS_H_HANGUP);
  if (err == 0) h->flags |= loop->watched;
  return err;
}

void cs_loop_forget(cs_loop *loop, cs_handle *h) {
  cs_hub_forget(loop, h);
  /* A child that has not noticed yet would take the parent's descriptor out of the parent's poller.
   */
  if (loop->poller != NULL && *loop->here != 0 && cs_watched(loop, h))
    loop->ops->remove(loop->poller, h->fd, h->slot);
  h->flags &= ~(CS_H_LOOP | CS_H_WATCHED | CS_H_READ | CS_H_WRITE | CS_H_HANGUP);
  for (unsigned i = loop->next; i < loop->count; i++) /* reported already, not yet dispatched */
    if (loop->events[i].data == h) loop->events[i].data = NULL;
}

void cs_loop_tell(cs_loop *loop, cs_handle *h) {
  if (loop->ops->want == NULL) return;
  loop->ops->want(loop->poller, h->slot,
                  cs_hub_wants(h) | (h->readers.last != NULL ? CS_READ : 0) |
                      (h->writers.last != NULL ? CS_WRITE : 0));
}

/* --- waiting --- */

cs_task *cs_loop_task(lua_State *L, cs_loop *loop, const char *call) {
  cs_task *task = loop->current;
  if (task->status != CS_TASK_RUNNING) return NULL;
  if (L != loop->innermost)
    luaL_error(L,
               "%s would wait in a coroutine that coroutine.resume entered; "
               "in a task, enter it with csock.resume or csock.wrap",
               call);
  if (!lua_isyieldable(L) || loop->stuck)
    luaL_error(L,
               "%s would wait where Lua cannot yield "
               "(in a metamethod, iterator or callback that C code called)",
               call);
  return task;
}

int cs_task_wait_for(cs_task *task, cs_handle *h, int want, bool again) {
  cs_loop *loop = task->loop;
  if (!cs_watched(loop, h)) {
    int err = cs_loop_watch(loop, h);
    if (err != 0) return err;
  }
  cs_queue *q = want == CS_READABLE ? &h->readers : &h->writers;
  if (again)
    cs_queue_prepend(q, task);
  else
    cs_queue_append(q, task);
  cs_loop_tell(loop, h);
  task->outside = !task->daemon;
  loop->events_waited += task->outside;
  return 0;
}

int cs_task_wait(lua_State *L, cs_task *task, int want, bool again) {
  cs_loop *loop = task->loop;
  cs_op *op = &task->op;
  int err = 0;
  task->until = op->deadline == 0 ? CS_FOREVER : op->deadline;
  switch (want) {
  case CS_READABLE:
  case CS_WRITABLE:
    err = cs_task_wait_for(task, op->h, want, again);
    break;
  case CS_ANY:
    err = cs_any_begin(L, task);
    if (err != ENOSYS && err != EMFILE && err != ENFILE) break;
    err = 0; /* no poller of its own: look again now and then */
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
    if (op->ptr != NULL) (op->flags ? cs_queue_prepend : cs_queue_append)(op->ptr, task);
    break;
  case CS_YIELD:
    /* In the middle of an operation the task keeps its place, so that nobody's bytes come between
       its own; its timer ends the wait. */
    if (again && op->first != 0 && cs_task_wait_for(task, op->h, op->first, true) == 0) {
      task->until = cs_clock_now() + 1;
      break;
    }
    task->until = CS_FOREVER;
    enter_ready(task);
    return 0;
  }
  if (err != 0) return err;
  /* A timer that stands earlier is left there: it finds out when it fires. */
  if (task->until != CS_FOREVER && (task->timer.place == 0 || task->timer.when > task->until)) {
    err = cs_timers_set(&loop->timers, &task->timer, task->until);
    if (err != 0) {
      cs_task_withdraw(task);
      cs_task_resumed(L, task);
      return err;
    }
  }
  task->status = CS_TASK_WAITING;
  return 0;
}

void cs_task_resumed(lua_State *L, cs_task *task) {
  if (task->joined == NULL) return;
  cs_any_end(task);
  lua_pop(L, 1);
}

/* --- a turn --- */

void cs_task_fire(lua_State *L, cs_task *task) {
  cs_loop *loop = task->loop;
  if (task->status != CS_TASK_WAITING || task->until == CS_FOREVER) {
    cs_timers_remove(&loop->timers, &task->timer);
  } else if (task->until > task->timer.when) {
    cs_timers_set(&loop->timers, &task->timer, task->until); /* in the heap: cannot fail */
  } else {
    cs_timers_remove(&loop->timers, &task->timer);
    cs_task_withdraw(task);
    task->timed_out = task->until == task->op.deadline;
    cs_task_resume(L, task);
  }
}

static cs_task *task_of_timer(cs_timer *timer) {
  return (cs_task *)((char *)timer - offsetof(cs_task, timer));
}

/* Resumes the first waiter, which finds out by trying. If that leaves the handle ready, the next
   one has its turn too (see the driver's pass_turn). */
static void serve_queue(lua_State *L, cs_loop *loop, cs_queue *q) {
  cs_event *e = &loop->events[loop->next];
  cs_handle *h = e->data;
  unsigned ready = q == &h->readers ? CS_H_READ : CS_H_WRITE;
  if (h->flags & CS_H_ALL) {
    cs_wake(q, true);
    return;
  }
  if (q->woken > 0) return; /* it will find the handle ready */
  cs_task *task = cs_queue_take(q);
  cs_task_withdraw(task);
  task->timed_out = false;
  cs_task_resume(L, task);
  /* The handle may be gone now; then its event is too. */
  if (e->data == h && (h->flags & ready)) cs_wake_next(q);
}

static void dispatch(lua_State *L, cs_loop *loop) {
  while (loop->next < loop->count) {
    cs_event *e = &loop->events[loop->next];
    cs_handle *h = e->data;
    unsigned ready = e->ready;
    if (h == NULL) {
      loop->next++;
      continue;
    }
    if (ready & CS_READ) h->flags |= CS_H_READ;
    if (ready & CS_WRITE) h->flags |= CS_H_WRITE;
    if (ready & CS_HANGUP) h->flags |= CS_H_HANGUP;
    if ((ready & CS_READ) && h->readers.last != NULL) serve_queue(L, loop, &h->readers);
    if (e->data == h && (ready & CS_WRITE) && h->writers.last != NULL)
      serve_queue(L, loop, &h->writers);
    if (e->data == h && h->object != 0) cs_hub_ready(loop, h);
    if (e->data == h) cs_loop_tell(loop, h);
    loop->next++;
  }
  loop->next = loop->count = 0;
}

/* Sleeps in the poller. A signal that comes just before it would go unnoticed until the next event.
   Keeping signals blocked up to the sleep costs two system calls, so only a sleep after a quiet
   moment does: a busy loop does not pay, and an idle one answers Ctrl-C in 50 ms at the latest. */
static int sleep_for_events(lua_State *L, cs_loop *loop, int64_t left) {
  int64_t first = left < SHORT_NS ? left : SHORT_NS;
  int err = loop->ops->wait(loop->poller, first, NULL, loop->events, EVENTS, &loop->count);
  if (err == EINTR) return 0;
  if (err != 0 || loop->count > 0 || left == first) return err;
  sigset_t all, mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  if (!cs_interrupt_pending(L)) {
    if (left != CS_FOREVER) left -= first;
    err = loop->ops->wait(loop->poller, left, &mask, loop->events, EVENTS, &loop->count);
  }
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  return err == EINTR ? 0 : err;
}

/* Resumes those that are ready. Those that become ready meanwhile have their turn in the next
 * round. */
static void run_ready(lua_State *L, cs_loop *loop) {
  loop->round++;
  while (loop->ready.last != NULL && loop->ready.last->next->round != loop->round)
    cs_task_resume(L, cs_queue_take(&loop->ready));
}

static void run_timers(lua_State *L, cs_loop *loop) {
  cs_timer *timer;
  if (loop->timers.count == 0) return;
  int64_t now = cs_clock_now();
  while ((timer = cs_timers_first(&loop->timers)) != NULL && timer->when <= now)
    cs_task_fire(L, task_of_timer(timer));
}

/* One turn; `once`: no more are to follow before the caller has looked. 0, ETIMEDOUT when the
   deadline has passed, EDEADLK when nothing is left that could happen, or the poller's errno. May
   raise: called by cs_loop_run alone, protected. */
static int turn(lua_State *L, cs_loop *loop, int64_t deadline, bool once) {
  bool ran = loop->ready.last != NULL;
  run_ready(L, loop);
  int err = 0;
  int64_t until = cs_turn_put_off(L, loop) ? 0 : deadline;
  const cs_timer *timer = cs_timers_first(&loop->timers);
  if (timer != NULL && timer->when < until) until = timer->when;
  if (loop->ready.last != NULL || (ran && (once || loop->stopped)))
    until = 0; /* what ran may be what the caller waits for */
  else if (until == CS_FOREVER && loop->events_waited == 0)
    return ran ? 0 : EDEADLK;
  bool left_over = loop->next < loop->count; /* by a run that an error has ended */
  if (!left_over && (until != 0 || loop->events_waited > 0))
    err = sleep_for_events(L, loop, until == 0 ? 0 : cs_clock_left(until));
  if (err != 0) return err;
  cs_check_interrupt(L);
  dispatch(L, loop);
  run_timers(L, loop);
  return deadline != CS_FOREVER && cs_clock_left(deadline) == 0 ? ETIMEDOUT : 0;
}

/* What cs_loop_run hands to its protected part. */
typedef struct run_call {
  cs_loop *loop;
  int64_t deadline;
  bool once;
  int err;
} run_call;

static int run_protected(lua_State *L) {
  run_call *call = lua_touserdata(L, 1);
  do call->err = turn(L, call->loop, call->deadline, call->once);
  while (call->err == 0 && !call->once && !call->loop->stopped);
  cs_turn_over(L, call->loop->state);
  return 0;
}

int cs_loop_run(lua_State *L, cs_loop *loop, int64_t deadline, bool once) {
  run_call call = {.loop = loop, .deadline = deadline, .once = once};
  if (loop->poller == NULL) return ECANCELED; /* the state is being closed */
  if (*loop->here == 0) cs_loop_renew(L, loop);
  if (loop->running) return luaL_error(L, "the loop is running already");
  luaL_checkstack(L, 8, NULL);
  loop->running = true;
  lua_pushcfunction(L, run_protected);
  lua_pushlightuserdata(L, &call);
  int status = lua_pcall(L, 1, 0, 0);
  loop->running = false;
  if (status != LUA_OK) {
    cs_task_cancel_all(L, loop);
    lua_error(L);
  }
  return call.err;
}

/* --- unhandled errors --- */

/* Tells of an error that no one joins: `loop.onerror`, or standard error. Takes the error value and
   the traceback from the stack. */
void cs_loop_report(lua_State *L, int task) {
  luaL_checkstack(L, 6, NULL);
  task = lua_absindex(L, task);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &report_key) == LUA_TFUNCTION) {
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, task);
    if (lua_pcall(L, 3, 0, 0) == LUA_OK) {
      lua_pop(L, 2);
      return;
    }
    const char *text = luaL_tolstring(L, -1, NULL);
    lua_writestringerror("csock: error in loop.onerror: %s\n", text);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  lua_writestringerror("csock: error in a task: %s\n", lua_tostring(L, -1));
  lua_pop(L, 2);
}

/* set_report(f): f(error, traceback, task) is told of errors that no one joins. */
static int loop_set_report(lua_State *L) {
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &report_key);
  return 0;
}

/* --- the functions of csock.loop --- */

/***
Runs the loop until nothing is left to wait for, or until `stop`. With a function, starts a task for
it, returns its results, and raises its error.
An error raised by the interpreter's hook (Ctrl-C) ends all tasks, and is raised again.
@function run
@tparam[opt] function f
@param ... its arguments
@return[1] what `f` returned, if it has finished; else true, as after `stop`
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EDEADLK`: `f` waits for something that cannot happen any more)
*/
static int loop_run(lua_State *L) {
  cs_loop *loop = cs_loop_get(L);
  cs_task *task = NULL;
  if (loop->running) return luaL_error(L, "the loop is running already");
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    task = cs_task_spawn(L, loop, lua_gettop(L) - 1); /* in the function's place: it stays at 1 */
    task->watched = true;
  }
  lua_settop(L, 1);
  loop->stopped = false;
  int err = cs_loop_run(L, loop, CS_FOREVER, false);
  bool over = task == NULL || task->status >= CS_TASK_DONE;
  if (err != 0 && (err != EDEADLK || !over)) return cs_fail(L, "run", err);
  if (task != NULL && task->status == CS_TASK_FAILED) {
    cs_task_results(L, task);
    return lua_error(L);
  }
  if (task != NULL && task->status == CS_TASK_DONE) return cs_task_results(L, task);
  lua_pushboolean(L, 1);
  return 1;
}

/***
Runs one turn of the loop: for embedding it in another one.
@function step
@tparam[opt=0] number timeout seconds to wait for something to happen
@treturn boolean whether something is left to wait for
*/
static int loop_step(lua_State *L) {
  int64_t timeout = lua_isnoneornil(L, 1) ? 0 : cs_check_timeout(L, 1);
  int err = cs_loop_run(L, cs_loop_get(L), cs_clock_deadline(timeout), true);
  if (err != 0 && err != EDEADLK && err != ETIMEDOUT) return cs_fail(L, "step", err);
  lua_pushboolean(L, cs_loop_get(L)->live > 0);
  return 1;
}

/***
Makes `run` return at the end of the present turn. Tasks stay as they are, and go on in the next
`run`.
@function stop
*/
static int loop_stop(lua_State *L) {
  cs_loop_get(L)->stopped = true;
  return 0;
}

/***
The descriptor of the loop's poller: readable when there is something for `step` to do.
@function fileno
@treturn int -1 when the backend has none
*/
static int loop_fileno(lua_State *L) {
  const cs_loop *loop = cs_loop_get(L);
  lua_pushinteger(L, loop->poller != NULL ? loop->ops->fileno(loop->poller) : -1);
  return 1;
}

/***
The name of the backend: "epoll", "kqueue" or "poll". The environment's `CSOCK_BACKEND` chooses it.
@function backend
@treturn string
*/
static int loop_backend(lua_State *L) {
  lua_pushstring(L, cs_loop_get(L)->ops->name);
  return 1;
}

/***
The names of the backends that this system has, the best first.
@function backends
@treturn {string,...}
*/
static int loop_backends(lua_State *L) {
  const cs_poller_ops *ops;
  lua_newtable(L);
  for (unsigned i = 0; (ops = cs_poller_at(i)) != NULL; i++) {
    lua_pushstring(L, ops->name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/***
The monotonic clock.
@function now
@treturn number seconds since some point in the past
*/
static int loop_now(lua_State *L) {
  lua_pushnumber(L, cs_clock_to_seconds(cs_clock_now()));
  return 1;
}

static const luaL_Reg functions[] = {
    {"run", loop_run},
    {"step", loop_step},
    {"stop", loop_stop},
    {"fileno", loop_fileno},
    {"backend", loop_backend},
    {"backends", loop_backends},
    {"now", loop_now},
    {"set_report", loop_set_report},
    {NULL, NULL},
};

static const luaL_Reg loop_meta[] = {{"__gc", loop_gc}, {NULL, NULL}};

void cs_open_loop(lua_State *L) {
  cs_class_make(L, &loop_class, NULL, loop_meta);
  cs_any_open(L);
  lua_newtable(L); /* for csock.loop: not part of what users see in csock itself */
  cs_setfuncs(L, functions);
  lua_setfield(L, -2, "loop");
}
