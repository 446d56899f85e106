/* park.c: a task begins to wait: all that lies between "the attempt would block" and lua_yieldk.
   How it goes on: unpark.c. */
#include "park.h"
#include "joined.h"
#include "unpark.h"

/* --- where it stands --- */

/* Among the descriptor's readers or writers: whose line it stands in is the operation's (op->line),
   what the poller is to report is what its attempt wants (see CS_W_READ_OUT). 0 or errno. */
static int stand_in_line(cs_task *task, cs_watched *w, int line, bool again) {
  cs_loop *loop = task->loop;
  if (!cs_is_watched(loop, w)) {
    int err = cs_watched_add(loop, w);
    if (err != 0) return err;
  }
  cs_waitq *q = line == CS_READABLE ? &w->readers : &w->writers;
  (again ? cs_list_prepend : cs_list_append)(&q->tasks, &task->link);
  task->queue = q;
  cs_watched_tell(loop, w);
  return 0;
}

static void ask_poller(cs_task *task) {
  task->asks = true;
  task->loop->asking++;
  if (!task->daemon) task->loop->keeping++;
}

static int stand_among(lua_State *L, cs_task *task, const cs_op *op) {
  int err;
  cs_joined *j = cs_joined_begin(L, task->loop, op, &err);
  if (j == NULL) return err;
  err = stand_in_line(task, &j->w, CS_READABLE, false);
  if (err != 0) {
    cs_joined_end(task->loop, j);
    lua_pop(L, 1);
    return err;
  }
  task->op->joined = j;
  j->op = task->op;
  return 0;
}

/* In the middle of an operation the task keeps its place, so that nobody's bytes come between its
   own: it counts as woken from there. */
static void give_way(cs_task *task, cs_op *op, bool again) {
  if (again && op->line != 0) {
    task->woken_from = op->line == CS_READABLE ? &op->w->readers : &op->w->writers;
    task->woken_from->woken++;
  }
  cs_unpark_enter(task, again ? CS_WHY_TURN : CS_WHY_FIRST);
}

/* Sets the timer for `until`. One that stands earlier is left there: it finds out when it fires. */
static int set_timer(cs_task *task, int64_t until) {
  task->until = until;
  if (until == CS_FOREVER || (task->timer.place != 0 && task->timer.when <= until)) return 0;
  return cs_timers_set(&task->loop->timers, &task->timer, until);
}

/* Enters the queue for what is wanted, and sets the timer. 0, or errno: it stands nowhere. */
static int enter(lua_State *L, cs_task *task, cs_op *op, int want, bool again) {
  int err = 0;
  bool pause = false;
  int64_t until = op->deadline == 0 ? CS_FOREVER : op->deadline;
  switch (want) {
  case CS_YIELD:
    give_way(task, op, again);
    return 0;
  case CS_READABLE:
  case CS_WRITABLE:
    err = stand_in_line(task, op->w, op->line != 0 ? op->line : want, again);
    pause = err == EPERM; /* no poller can watch that: look now and then */
    break;
  case CS_ANY:
    err = stand_among(L, task, op);
    /* ... or none of its own can be made */
    pause = err == EPERM || err == ENOSYS || err == EMFILE || err == ENFILE;
    break;
  case CS_PARK:
  case CS_AWAIT:
    if (op->ptr == NULL) break;
    task->queue = (cs_waitq *)op->ptr;
    (op->flags ? cs_list_prepend : cs_list_append)(&task->queue->tasks, &task->link);
    break;
  case CS_PAUSE:
    pause = true;
    break;
  }
  if (err != 0 && !pause) return err;
  if (!pause && want != CS_PARK) ask_poller(task);
  int64_t moment = pause ? cs_clock_deadline(&task->loop->state->clock, CS_PAUSE_NS) : until;
  task->pausing = moment < until;
  if (task->pausing) until = moment;
  err = set_timer(task, until);
  if (err == 0) {
    task->status = CS_TASK_WAITING;
    return 0;
  }
  cs_unpark(task, CS_WHY_NONE);
  if (task->op != NULL && task->op->joined != NULL) lua_pop(L, 1);
  return err;
}

/* --- the operation --- */

/* A task that waits in an operation which cannot be run anew keeps it in one of the loop's places:
   so the many that wait to receive have none. */

#define PARKED_BLOCK 64

static const char blocks_key = 'b'; /* registry: the newest block, which keeps the one before it */

static void make_block(lua_State *L, cs_loop *loop) {
  luaL_checkstack(L, 3, NULL);
  cs_op *ops = (cs_op *)lua_newuserdatauv(L, PARKED_BLOCK * sizeof *ops, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &blocks_key);
  lua_setiuservalue(L, -2, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &blocks_key);
  for (int i = 0; i < PARKED_BLOCK; i++) {
    ops[i].ptr = loop->spare_ops;
    loop->spare_ops = &ops[i];
  }
}

void cs_park_drop(cs_task *task) {
  cs_op *op = task->op;
  if (op == NULL) return;
  if (op->joined != NULL) cs_joined_end(task->loop, op->joined);
  op->ptr = task->loop->spare_ops;
  task->loop->spare_ops = op;
  task->op = NULL;
}

static void keep_op(lua_State *L, cs_task *task, const cs_op *op) {
  cs_loop *loop = task->loop;
  cs_park_drop(task); /* the coroutine in which it waited last was closed by somebody */
  task->call = op->call;
  task->deadline = op->deadline;
  task->restart = op->restart;
  if (op->restart != NULL) return;
  if (loop->spare_ops == NULL) make_block(L, loop);
  task->op = loop->spare_ops;
  loop->spare_ops = (cs_op *)task->op->ptr;
  *task->op = *op;
}

void cs_park_over(lua_State *L, cs_task *task, cs_op *op) {
  if (task->op == NULL) return;
  *op = *task->op;
  op->joined = NULL;
  if (task->op->joined != NULL) lua_pop(L, 1);
  cs_park_drop(task);
}

/* --- suspending --- */

bool cs_park_possible(lua_State *L, cs_loop *loop, const char *call) {
  if (loop->current->status != CS_TASK_RUNNING) return false;
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
  return true;
}

int cs_park(lua_State *L, cs_loop *loop, cs_op *op, int want, bool again, lua_KFunction resumed) {
  cs_task *task = loop->current;
  if (!cs_park_possible(L, loop, op->call)) return ECANCELED;
  keep_op(L, task, op);
  int err = enter(L, task, op, want, again);
  if (err != 0) {
    cs_park_drop(task);
    return err;
  }
  if (loop->recording) task->since = cs_clock_now(&loop->state->clock);
  loop->passing = L != task->co;
  return lua_yieldk(L, 0, (lua_KContext)task, resumed);
}
