/* task.c: tasks: coroutines that the loop runs; joining and cancelling them; waiting for each
   other. The coroutines that a task may have of its own: task_inner.c. */
#include "loop.h"
#include "parts.h"

const cs_class cs_task_class = {"csock.task"};

static const char tasks_key = 't'; /* registry: the table that keeps the live tasks */

/* --- life --- */

cs_task *cs_task_spawn(lua_State *L, cs_loop *loop, int nargs) {
  luaL_checkstack(L, 6, NULL);
  cs_task *task = cs_object_new(L, &cs_task_class, sizeof *task, 1);
  task->loop = loop;
  task->co = lua_newthread(L);
  lua_setiuservalue(L, -2, 1);
  lua_insert(L, -nargs - 2);
  if (!lua_checkstack(task->co, nargs + 4)) luaL_error(L, "too many arguments");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_pushvalue(L, -nargs - 3);
  task->anchor = luaL_ref(L, -2);
  lua_pop(L, 1);
  lua_xmove(L, task->co, nargs + 1);
  loop->live++;
  cs_task_ready(task);
  return task;
}

/* Closes the coroutine's pending variables. What waits meanwhile gets ECANCELED. */
static int close_coroutine(lua_State *L, cs_task *task) {
  cs_loop *loop = task->loop;
  cs_task *current = loop->current;
  lua_State *innermost = loop->innermost;
  loop->current = task;
  loop->innermost = task->co;
  int status = cs_close_thread(L, task->co);
  loop->current = current;
  loop->innermost = innermost;
  return status;
}

/* Pushes the error value on the coroutine's stack, and a traceback of where it came from. */
static void push_error(lua_State *L, lua_State *co) {
  lua_pushvalue(co, -1);
  lua_xmove(co, L, 1);
  luaL_traceback(L, co, luaL_tolstring(L, -1, NULL), 0);
  lua_remove(L, -2);
}

/* A task that did not end by itself: closes its coroutine, and reports what nobody will ask for.
   The task object is on the top of the stack. */
static void close_early(lua_State *L, cs_task *task, int status) {
  bool report = status == CS_TASK_FAILED && task->joiners.last == NULL && !task->watched;
  if (report) push_error(L, task->co);
  int closed = close_coroutine(L, task);
  if (report) cs_loop_report(L, -3);
  if (status == CS_TASK_CANCELLED && closed != LUA_OK) { /* a <close> variable's handler failed */
    push_error(L, task->co);
    cs_loop_report(L, -3);
  }
}

/* The task is over: nothing keeps it any more, and whoever waits for it is told. */
static void finish(lua_State *L, cs_task *task, int status) {
  luaL_checkstack(L, 8, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_rawgeti(L, -1, task->anchor); /* on the stack until we are done with it */
  task->loop->live -= !task->daemon;
  task->status = (uint8_t)status;
  cs_timers_remove(&task->loop->timers, &task->timer);
  cs_any_end(task);
  if (status != CS_TASK_DONE) close_early(L, task, status);
  cs_wake(&task->joiners, true);
  luaL_unref(L, -2, task->anchor);
  lua_pop(L, 2);
}

static void end_turn(cs_task *task) {
  /* (The stack of a coroutine that somebody has closed no longer keeps the queue's owner.) */
  if (task->turn != NULL && lua_status(task->co) == LUA_YIELD) task->turn->woken--;
  task->turn = NULL;
}

void cs_task_resume(lua_State *L, cs_task *task) {
  cs_loop *loop = task->loop;
  int top = lua_gettop(task->co), nresults;
  int nargs = lua_status(task->co) == LUA_YIELD || top == 0 ? 0 : top - 1;
  loop->current = task;
  loop->innermost = task->co;
  loop->budget = CS_BUDGET;
  loop->passing = false;
  loop->stuck = false;
  task->status = CS_TASK_RUNNING;
  end_turn(task);
  int status = lua_resume(task->co, L, nargs, &nresults);
  loop->current = NULL;
  if (status == LUA_OK) {
    finish(L, task, CS_TASK_DONE);
  } else if (status != LUA_YIELD) {
    finish(L, task, CS_TASK_FAILED);
  } else if (task->doomed) {
    cs_task_cancel(L, task);
  } else if (task->status == CS_TASK_RUNNING) { /* coroutine.yield: a pause, nothing to wait for */
    lua_pop(task->co, nresults);
    cs_task_ready(task);
  }
}

void cs_task_cancel(lua_State *L, cs_task *task) {
  cs_queue *q = task->turn != NULL ? task->turn : task->outside ? task->queue : NULL;
  if (lua_status(task->co) != LUA_YIELD) q = NULL;
  end_turn(task);
  cs_task_withdraw(task);
  /* Before its stack, which keeps the queue's owner, is gone. Who is woken in vain waits again. */
  if (q != NULL) cs_wake_next(q);
  finish(L, task, CS_TASK_CANCELLED);
}

void cs_task_cancel_all(lua_State *L, cs_loop *loop) {
  luaL_checkstack(L, 6, NULL);
  loop->current = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, -1); i <= n; i++) {
    lua_rawgeti(L, -1, i);
    cs_task *task = cs_object_test(L, -1, &cs_task_class);
    if (task != NULL && task->status < CS_TASK_DONE && !task->daemon) cs_task_cancel(L, task);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

void cs_task_drop_all(lua_State *L, cs_loop *loop) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, -1); i <= n; i++) {
    lua_rawgeti(L, -1, i);
    cs_task *task = cs_object_test(L, -1, &cs_task_class);
    lua_pop(L, 1);
    if (task == NULL || task == loop->current || task->status >= CS_TASK_DONE) continue;
    end_turn(task);
    cs_task_withdraw(task);
    cs_timers_remove(&loop->timers, &task->timer);
    task->status = CS_TASK_CANCELLED;
    loop->live -= !task->daemon;
    /* Still anchored: a collected stream would send what is the parent's to send. */
  }
  lua_pop(L, 1);
}

static cs_task *check_task(lua_State *L, int arg) {
  return cs_object_check(L, arg, &cs_task_class);
}

/***
A task: a coroutine that the loop runs.
@type task
*/

/***
Starts a task: the function runs in a coroutine of its own, in which every call that would block
suspends the task alone. It begins in the loop's next turn.
@function spawn
@tparam function f
@param ... its arguments
@treturn task
*/
static int loop_spawn(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  cs_task_spawn(L, cs_loop_get(L), lua_gettop(L) - 1);
  return 1;
}

/***
The task that is running.
@function current
@treturn ?task nil outside of tasks
*/
static int loop_current(lua_State *L) {
  const cs_loop *loop = cs_state_get(L)->loop; /* asking must not make one */
  if (loop == NULL || loop->current == NULL) return 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_rawgeti(L, -1, loop->current->anchor);
  return 1;
}

/***
How the task stands.
@function task:status
@treturn string "ready", "running", "waiting", "done", "failed" or "cancelled"
*/
static int task_status(lua_State *L) {
  static const char *const names[] = {"ready", "running", "waiting", "done", "failed", "cancelled"};
  lua_pushstring(L, names[check_task(L, 1)->status]);
  return 1;
}

static int task_tostring(lua_State *L) {
  const cs_task *task = check_task(L, 1);
  task_status(L);
  lua_pushfstring(L, "<csock.task %p %s>", (const void *)task, lua_tostring(L, -1));
  return 1;
}

/* --- joining --- */

int cs_task_results(lua_State *L, cs_task *task) {
  int n = lua_gettop(task->co);
  luaL_checkstack(L, n + 4, "too many results");
  if (!lua_checkstack(task->co, n)) luaL_error(L, "too many results");
  for (int i = 1; i <= n; i++) lua_pushvalue(task->co, i);
  lua_xmove(task->co, L, n);
  return n;
}

static int join_attempt(lua_State *L, cs_op *op) {
  cs_task *task = check_task(L, 1);
  if (op->mark !=
      task->loop->watched) { /* begun in the parent, in the child of a fork: not for us */
    op->ptr = &task->joiners;
    return CS_PARK;
  }
  switch (task->status) {
  case CS_TASK_DONE:
    return cs_task_results(L, task);
  case CS_TASK_FAILED:
    lua_pushnil(L);
    cs_task_results(L, task);
    return 2;
  case CS_TASK_CANCELLED:
    return cs_fail(L, op->call, ECANCELED);
  default:
    if (task == task->loop->current) return cs_fail(L, op->call, EDEADLK);
    op->ptr = &task->joiners;
    return CS_PARK;
  }
}

/***
Waits until the task is over. Outside of tasks, this runs the loop meanwhile.
@function task:join
@tparam[opt] number timeout seconds
@return[1] what the function returned
@treturn[2] nil when it failed, was cancelled (`ECANCELED`), or is not over yet (`ETIMEDOUT`)
@return[2] the error
*/
static int task_join(lua_State *L) {
  cs_op op;
  const cs_task *task = check_task(L, 1);
  cs_op_init(&op, "join", join_attempt, NULL, cs_check_timeout(L, 2));
  op.mark = task->loop->watched;
  lua_settop(L, 1);
  return cs_drive(L, &op);
}

static int never(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  return luaL_error(L, "a cancelled task was resumed");
}

/***
Ends the task: its coroutine is closed, and with it its `<close>` variables. A task that cancels
itself does not return from this call.
@function task:cancel
@treturn boolean false when it was over already
*/
static int task_cancel(lua_State *L) {
  cs_task *task = check_task(L, 1);
  if (task->status == CS_TASK_RUNNING) {
    if (cs_loop_task(L, task->loop, "cancel") == NULL) return 0;
    task->doomed = true;
    task->loop->passing = L != task->co;
    return lua_yieldk(L, 0, 0, never);
  }
  bool live = task->status < CS_TASK_DONE;
  if (live) cs_task_cancel(L, task);
  lua_pushboolean(L, live);
  return 1;
}

/* watch(task): its error will be asked for by join, so that it is not reported. */
static int task_watch(lua_State *L) {
  check_task(L, 1)->watched = true;
  lua_settop(L, 1);
  return 1;
}

/* daemon(task): the loop does not wait for it. */
static int task_daemon(lua_State *L) {
  cs_task *task = check_task(L, 1);
  if (!task->daemon && task->status < CS_TASK_DONE) {
    task->daemon = true;
    task->loop->live--;
    if (task->outside) task->loop->events_waited--;
    task->outside = false;
  }
  lua_settop(L, 1);
  return 1;
}

/* --- waiting for time, and for each other --- */

static int sleep_attempt(lua_State *L, cs_op *op) {
  if (op->timeout != CS_FOREVER) return CS_PARK;
  if (op->done++ == 0) return CS_YIELD;
  lua_pushboolean(L, 1);
  return 1;
}

static int sleep_over(lua_State *L, cs_op *op, int err) {
  if (err != ETIMEDOUT) return cs_fail(L, op->call, err);
  lua_pushboolean(L, 1);
  return 1;
}

static int start_sleep(lua_State *L, const char *call, int64_t timeout) {
  cs_op op;
  cs_op_init(&op, call, sleep_attempt, NULL, timeout == 0 ? CS_FOREVER : timeout);
  op.fail = sleep_over;
  return cs_drive(L, &op);
}

/***
Waits. In a task the others go on meanwhile.
Source: Python's `time.sleep`.
@function sleep
@tparam number seconds 0: just lets the others have a turn
@treturn boolean true
*/
static int loop_sleep(lua_State *L) {
  luaL_checknumber(L, 1);
  int64_t timeout = cs_check_timeout(L, 1);
  return start_sleep(L, "sleep", timeout == CS_FOREVER ? timeout - 1 : timeout);
}

/***
Lets the other tasks have a turn.
@function yield
@treturn boolean true
*/
static int loop_yield(lua_State *L) {
  return start_sleep(L, "yield", 0);
}

/* A queue of tasks, for Lua code that makes tasks wait for each other. */
typedef struct waiters {
  const cs_class *cls;
  const char *call; /* for errors */
  cs_queue queue;
} waiters;

static const cs_class waiters_class = {"csock.waiters"};

static int waiters_gc(lua_State *L) {
  waiters *w = cs_object_check(L, 1, &waiters_class);
  cs_wake(&w->queue, true); /* (somebody has closed the coroutines of those who wait) */
  return 0;
}

/* waiters([call]): what they call that wait. */
static int loop_waiters(lua_State *L) {
  static const char *const calls[] = {"wait", "get", "put", "join", NULL};
  const char *call = calls[luaL_checkoption(L, 1, "wait", calls)];
  waiters *w = cs_object_new(L, &waiters_class, sizeof *w, 0);
  w->call = call;
  return 1;
}

static int wait_attempt(lua_State *L, cs_op *op) {
  if (op->done++ == 0) return CS_PARK;
  lua_pushboolean(L, 1);
  return 1;
}

/* waiters:wait([timeout [, first]]): until woken; outside of tasks, for one turn of the loop.
   `first`: ahead of those who wait already. */
static int waiters_wait(lua_State *L) {
  cs_op op;
  waiters *w = cs_object_check(L, 1, &waiters_class);
  cs_op_init(&op, w->call, wait_attempt, NULL, cs_check_timeout(L, 2));
  op.ptr = &w->queue;
  op.flags = lua_toboolean(L, 3);
  return cs_drive(L, &op);
}

/* waiters:wake([all]): the first one, or all. */
static int waiters_wake(lua_State *L) {
  waiters *w = cs_object_check(L, 1, &waiters_class);
  cs_wake(&w->queue, lua_toboolean(L, 2));
  return 0;
}

/* --- registration --- */

static const luaL_Reg task_methods[] = {
    {"daemon", task_daemon}, {"status", task_status}, {"join", task_join},
    {"cancel", task_cancel}, {"watch", task_watch},   {NULL, NULL},
};

static const luaL_Reg task_meta[] = {
    {"__tostring", task_tostring},
    {"__close", task_cancel},
    {NULL, NULL},
};

static const luaL_Reg waiters_methods[] = {
    {"wait", waiters_wait},
    {"wake", waiters_wake},
    {NULL, NULL},
};

static const luaL_Reg waiters_meta[] = {{"__gc", waiters_gc}, {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"spawn", loop_spawn}, {"current", loop_current}, {"sleep", loop_sleep},
    {"yield", loop_yield}, {"waiters", loop_waiters}, {NULL, NULL},
};

void cs_open_task(lua_State *L) {
  cs_class_make(L, &cs_task_class, task_methods, task_meta);
  cs_class_make(L, &waiters_class, waiters_methods, waiters_meta);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_getfield(L, -1, "loop");
  cs_setfuncs(L, functions);
  lua_pop(L, 1);
}
