/* loop.c: the event loop: its life, and its turns: events, timers, tasks that are ready. */
#include "loop.h"
#include "../wait/announce.h"
#include "../wait/turn_end.h"
#include "../wait/interrupt.h"
#include "../wait/park.h"
#include "../wait/unpark.h"
#include "../sys/forkmark.h"

#include <stdlib.h>

static const cs_class loop_class = {"csock.loop"};

#define EVENTS   512      /* in one turn */
#define SCANT    64       /* ... of a host that has little time: the kernel takes some for each */
#define SHORT_NS 50000000 /* 50 ms: see sleep_for_events */

/* --- the loop --- */

static const int closing = 1; /* instead of the fork mark, while the state is being closed */

/* What is watched is so no more. */
static void next_generation(cs_loop *loop) {
  loop->generation += CS_W_LOOP & -CS_W_LOOP;
}

/* The state is being closed: what finalizers still ask for ends with ECANCELED. */
static int loop_gc(lua_State *L) {
  cs_loop *loop = (cs_loop *)cs_object_check(L, 1, &loop_class);
  if (loop->poller != NULL) loop->ops->free(loop->poller, *loop->here == 0);
  loop->poller = NULL;
  free(loop->events);
  loop->events = NULL;
  loop->next = loop->count = 0;
  loop->current = NULL; /* the state may be closed from within a task */
  loop->running = false;
  next_generation(loop);
  if (loop->listener != NULL) loop->listener->closed(loop);
  cs_timers_free(&loop->timers);
  if (loop->here != &closing) cs_forkmark_free(loop->here);
  loop->here = &closing;
  return 0;
}

/* What a try that failed has made already, the next one finds. 0 or errno. */
static int make(cs_loop *loop) {
  if (loop->here == NULL && (loop->here = cs_forkmark_make()) == NULL) return ENOMEM;
  if (loop->events == NULL &&
      (loop->events = (cs_event *)malloc(EVENTS * sizeof *loop->events)) == NULL)
    return ENOMEM;
  return loop->ops->make(&loop->poller, &loop->state->watcher);
}

cs_loop *cs_loop_get(lua_State *L) {
  cs_state *state = cs_state_get(L);
  if (state->loop != NULL) {
    if (*state->loop->here == 0) cs_loop_renew(L, state->loop);
    return state->loop;
  }
  const char *name = getenv("CSOCK_BACKEND");
  const cs_poller_ops *ops = state->watcher.watch != NULL
                                 ? &cs_poller_of_host
                                 : cs_poller_find(name != NULL && *name != '\0' ? name : NULL);
  if (ops == NULL) luaL_error(L, "CSOCK_BACKEND: this system has no '%s'", name);
  cs_loop *loop = cs_loop_record(L);
  loop->ops = ops;
  int err = loop->here == &closing ? 0 : make(loop);
  if (err != 0) {
    cs_fail(L, "loop", err);
    lua_pop(L, 1);
    lua_error(L);
  }
  state->loop = loop;
  return loop;
}

cs_loop *cs_loop_record(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &loop_class.name);
  cs_loop *loop = (cs_loop *)lua_touserdata(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  return loop;
}

int cs_loop_forked(lua_State *L, cs_loop *loop) {
  if (loop->here == &closing) return 0;
  if (loop->poller != NULL) loop->ops->free(loop->poller, true);
  loop->poller = NULL;
  cs_task_drop_all(L, loop);
  cs_turn_end_forget(loop);
  loop->next = loop->count = 0;
  if (loop->listener != NULL) loop->listener->forked(loop);
  next_generation(loop);
  int err = loop->ops->make(&loop->poller, &loop->state->watcher);
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

/* --- a turn --- */

/* The parts of a turn, in their order. */
enum { WHOLE, PART_READY, PART_EVENTS, PART_TIMERS };

/* Asked after a task was resumed: whether that was the last one for now. The turn is to go on from
   this part of it later. So none of the parts keeps the others waiting for ever. */
static bool spent(cs_loop *loop, int part) {
  if (loop->resumable != 0 && --loop->resumable == 0)
    loop->stopped_in = (uint8_t)part;
  else if (cs_loop_late(loop))
    loop->stopped_in = (uint8_t)part;
  return loop->stopped_in != WHOLE;
}

/* Whether the task's timer stands earlier than it is needed, if it is: it is put right. */
static bool postpone(cs_loop *loop, cs_task *task) {
  if (task->status != CS_TASK_WAITING || task->until == CS_FOREVER)
    cs_timers_remove(&loop->timers, &task->timer);
  else if (task->until > task->timer.when)
    cs_timers_set(&loop->timers, &task->timer, task->until); /* in the heap: cannot fail */
  else
    return false;
  return true;
}

/* Resumes the task: true; or finds that its timer was early. */
static bool fire(lua_State *L, cs_task *task) {
  cs_loop *loop = task->loop;
  if (postpone(loop, task)) return false;
  cs_timers_remove(&loop->timers, &task->timer);
  cs_unpark(task, task->pausing ? CS_WHY_PAUSE : CS_WHY_DEADLINE);
  cs_task_resume(L, task);
  return true;
}

/* The earliest timer, or NULL. A clock that stands still must not be moved to one that nobody needs
   any more. */
static const cs_timer *first_timer(cs_loop *loop) {
  cs_timer *timer;
  do timer = cs_timers_first(&loop->timers);
  while (timer != NULL && loop->state->clock.stands != 0 &&
         postpone(loop, CS_MEMBER_OF(timer, cs_task, timer)));
  return timer;
}

/* Resumes the first waiter, which finds out by trying: true. If that leaves something for the next
   one, it has its turn too (see the driver's pass_turn). */
static bool serve_queue(lua_State *L, cs_loop *loop, const cs_event *e, cs_waitq *q) {
  cs_watched *w = (cs_watched *)e->data;
  unsigned generation = loop->generation;
  if (w->flags & CS_W_ALL) {
    cs_unpark_all(q);
    return false;
  }
  if (q->woken > 0) return false; /* it will find the descriptor ready */
  cs_task *task = CS_MEMBER_OF(cs_list_first(&q->tasks), cs_task, link);
  cs_unpark(task, CS_WHY_EVENT);
  cs_task_resume(L, task);
  /* The descriptor may be closed now; then its event is gone too. */
  if (loop->generation != generation || e->data != w) return true;
  if (q == &w->readers ? cs_watched_readers_due(w) : cs_watched_writers_due(w)) cs_unpark_next(q);
  return true;
}

/* Deals with the events of this turn. What it calls may run any Lua, in tasks alone: it may close
   the descriptor (its event's data is NULL then), and fork (another generation, and no events). */
static void dispatch(lua_State *L, cs_loop *loop) {
  unsigned generation = loop->generation;
  for (; loop->next < loop->count; loop->next++) {
    const cs_event *e = &loop->events[loop->next];
    cs_watched *w = (cs_watched *)e->data;
    unsigned ready = e->ready;
    bool resumed = false;
    if (w == NULL) continue;
    if (ready & CS_READ) w->flags |= CS_W_READ;
    if (ready & CS_WRITE) w->flags |= CS_W_WRITE;
    if (ready & CS_HANGUP) w->flags |= CS_W_HANGUP;
    if ((ready & cs_watched_readers_want(w)) && !cs_waitq_empty(&w->readers))
      resumed = serve_queue(L, loop, e, &w->readers);
    if (loop->generation != generation) return;
    if (e->data == w && (ready & cs_watched_writers_want(w)) && !cs_waitq_empty(&w->writers))
      resumed |= serve_queue(L, loop, e, &w->writers);
    if (loop->generation != generation) return;
    if (e->data == w) {
      if (w->object != 0) loop->listener->event(loop, w);
      cs_watched_tell(loop, w);
    }
    if (resumed && spent(loop, PART_EVENTS)) {
      loop->next++;
      return;
    }
  }
  loop->next = loop->count = 0;
}

/* Sleeps in the poller. A signal that comes just before it would go unnoticed until the next event.
   Keeping signals blocked up to the sleep costs two system calls, so only a sleep after a quiet
   moment does: a busy loop does not pay, and an idle one answers Ctrl-C in 50 ms at the latest. */
static int sleep_for_events(lua_State *L, cs_loop *loop, int64_t left) {
  int64_t first = left < SHORT_NS ? left : SHORT_NS;
  unsigned most = loop->allowance != 0 ? SCANT : EVENTS;
  int err = loop->ops->wait(loop->poller, first, NULL, loop->events, most, &loop->count);
  if (err == EINTR) return 0;
  if (err != 0 || loop->count > 0 || left == first) return err;
  sigset_t all, mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  const cs_clock *clock = &cs_clock_system;
  int64_t until = cs_clock_deadline(clock, left == CS_FOREVER ? CS_FOREVER : left - first);
  while (err == 0 && loop->count == 0 && cs_clock_left(clock, until) > 0 &&
         cs_interrupt_hook(L) == loop->stays)
    err = loop->ops->wait(loop->poller, cs_clock_left(clock, until), &mask, loop->events, most,
                          &loop->count);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  return err == EINTR ? 0 : err;
}

/* The same until an instant on the state's clock. Where that stands still, and nothing has come, it
   is moved there instead. */
static int sleep_until(lua_State *L, cs_loop *loop, int64_t until) {
  cs_clock *clock = &loop->state->clock;
  if (clock->stands != 0 && until != CS_FOREVER) {
    int err = sleep_for_events(L, loop, 0);
    if (err == 0 && loop->count == 0) cs_clock_move(clock, until);
    return err;
  }
  int64_t left = cs_clock_left(clock, until);
  int64_t most = cs_clock_left(&cs_clock_system, loop->alarm);
  if (most < left) left = most;
  int err = sleep_for_events(L, loop, left);
  if (left != 0) loop->spent_at = cs_clock_deadline(&cs_clock_system, loop->allowance);
  return err;
}

/* Resumes those that are ready. Those that become ready meanwhile have their turn in the next
 * round. */
static void run_ready(lua_State *L, cs_loop *loop) {
  const cs_link *first;
  while ((first = cs_list_first(&loop->ready.tasks)) != NULL) {
    cs_task *task = CS_MEMBER_OF(first, cs_task, link);
    if (task->round == loop->round) break;
    cs_unpark(task, (cs_why)task->why);
    cs_task_resume(L, task);
    if (spent(loop, PART_READY)) return;
  }
}

/* `again`: the rest of those that were due when the turn was stopped among them. */
static void run_timers(lua_State *L, cs_loop *loop, bool again) {
  cs_timer *timer;
  if (loop->timers.count == 0) return;
  if (!again) loop->due_by = cs_clock_now(&loop->state->clock);
  while ((timer = cs_timers_first(&loop->timers)) != NULL && timer->when <= loop->due_by) {
    if (fire(L, CS_MEMBER_OF(timer, cs_task, timer)) && spent(loop, PART_TIMERS)) return;
  }
}

/* Gives the interpreter's hook its chance: what it raises (Ctrl-C) is the foreground task's, or
   ends the run. */
static void answer_interrupt(lua_State *L, cs_loop *loop) {
  if (loop->foreground == NULL)
    cs_check_interrupt(L);
  else if (cs_interrupt_catch(L))
    cs_task_answer(L, loop->foreground);
  loop->stays = cs_interrupt_hook(L);
}

/* The parts of a turn that come after the poller was asked. */
static int finish_turn(lua_State *L, cs_loop *loop, int64_t deadline, int from) {
  if (from == PART_EVENTS) dispatch(L, loop);
  if (loop->stopped_in == WHOLE) run_timers(L, loop, from == PART_TIMERS);
  if (deadline == 0) return ETIMEDOUT;
  return deadline != CS_FOREVER && cs_clock_left(&loop->state->clock, deadline) == 0 ? ETIMEDOUT
                                                                                     : 0;
}

/* One turn; `once`: no more are to follow before the caller has looked. 0, ETIMEDOUT when the
   deadline has passed, EDEADLK when nothing is left that could happen, or the poller's errno. May
   raise: called by cs_loop_run alone, protected.
   The poller is asked in every turn in which anybody wants to hear from it, however busy the others
   are: so nobody waits for longer than a turn. */
static int turn(lua_State *L, cs_loop *loop, int64_t deadline, bool once) {
  int from = loop->stopped_in, err = 0;
  loop->stopped_in = WHOLE;
  if (from >= PART_EVENTS) return finish_turn(L, loop, deadline, from);
  bool ran = !cs_waitq_empty(&loop->ready);
  if (from == WHOLE) loop->round++;
  run_ready(L, loop);
  if (loop->stopped_in != WHOLE) return 0;
  int64_t until = cs_turn_end_put_off(L, loop) ? 0 : deadline;
  if (!once && until != 0 && loop->live == 0) return EDEADLK; /* daemons keep nothing running */
  const cs_timer *timer = first_timer(loop);
  if (timer != NULL && timer->when < until) until = timer->when;
  if (!cs_waitq_empty(&loop->ready) || (ran && (once || loop->stopped)))
    until = 0; /* what ran may be what the caller waits for */
  else if (until == CS_FOREVER && loop->keeping == 0)
    return ran ? 0 : EDEADLK;
  bool left_over = loop->next < loop->count; /* by a run that an error has ended */
  if (!left_over && (until != 0 || loop->asking > 0))
    err = until == 0 ? sleep_for_events(L, loop, 0) : sleep_until(L, loop, until);
  if (err != 0) return err;
  answer_interrupt(L, loop);
  return finish_turn(L, loop, deadline, PART_EVENTS);
}

/* What cs_loop_run hands to its protected part. */
typedef struct run_call {
  cs_loop *loop;
  int64_t deadline;
  bool once;
  int err;
} run_call;

static int run_protected(lua_State *L) {
  run_call *call = (run_call *)lua_touserdata(L, 1);
  do call->err = turn(L, call->loop, call->deadline, call->once);
  while (call->err == 0 && !call->once && !call->loop->stopped);
  cs_turn_end_all(L, call->loop->state);
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
  loop->alarm = CS_FOREVER;
  cs_announce(loop);
  if (status != LUA_OK) {
    cs_task_cancel_all(L, loop);
    lua_error(L);
  }
  return call.err;
}

static bool task_lives(lua_State *L, int idx) {
  const cs_task *task = (const cs_task *)cs_object_test(L, idx, &cs_task_class);
  return task != NULL && task->status < CS_TASK_DONE;
}

static const cs_loop_calls loop_calls = {.get = cs_loop_get,
                                         .run = cs_loop_run,
                                         .renew = cs_loop_renew,
                                         .park = cs_park,
                                         .park_over = cs_park_over,
                                         .spawn = cs_task_spawn,
                                         .lives = task_lives};

void cs_loop_open(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", loop_gc}, {NULL, NULL}};
  cs_class_make(L, &loop_class, NULL, meta);
  /* The object is there before any finalizer that may ask for it: one that is made while the state
     is being closed would never be collected. */
  cs_loop *loop = (cs_loop *)cs_object_new(L, &loop_class, sizeof *loop, 0);
  loop->state = cs_state_get(L);
  loop->state->loop_calls = &loop_calls;
  loop->generation = CS_W_WATCHED;
  loop->alarm = CS_FOREVER;
  cs_state_keep(L, CS_STATE_LOOP);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loop_class.name);
}
