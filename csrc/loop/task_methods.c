/* task_methods.c: tasks as objects: starting, joining and cancelling them; waiting for time, and
   for each other. */
#include "listing.h"
#include "loop.h"
#include "../wait/driver.h"
#include "../wait/hook.h"
#include "../wait/interrupt.h"
#include "../wait/park.h"
#include "../wait/unpark.h"
#include "../base/parts.h"

static cs_task *check_task(lua_State *L, int arg) {
  return (cs_task *)cs_object_check(L, arg, &cs_task_class);
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
@usage
local task = csock.spawn(function(name) return "hello, " .. name end, "you")
print(task:join()) --> hello, you
*/
static int loop_spawn(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  const cs_task *task = cs_task_spawn(L, cs_loop_get(L), lua_gettop(L) - 1);
  if (task->loop->state->debug) cs_listing_note(L);
  return 1;
}

/***
The task that is running.
@function current
@treturn ?task nil outside of tasks
@usage csock.spawn(function() print(loop.current():status()) end):join() --> running
*/
static int loop_current(lua_State *L) {
  const cs_loop *loop = cs_state_get(L)->loop; /* asking must not make one */
  if (loop == NULL || loop->current == NULL) return 0;
  cs_task_push(L, loop->current);
  return 1;
}

/***
Makes a task the one that Ctrl-C is for, until it is over or another one is. Then what the
interpreter's hook raises ("interrupted!") is raised by the call in which this task waits, or in the
midst of what it computes, and the loop goes on with all others. Without such a task it ends the run
of the loop, and all tasks. A task that has not begun, or has just yielded, is cancelled instead.
When it is over, the one before has this place again.
@function foreground
@tparam ?task task nil: none; without an argument nothing changes
@tparam ?boolean firm whether its second Ctrl-C cancels the task, wherever it is: one that catches
the error goes on otherwise
@treturn ?task the one that was it before
@usage
local task = csock.spawn(csock.sleep, 0.01)
local before = loop.foreground(task)
*/
static int loop_foreground(lua_State *L) {
  cs_loop *loop = cs_loop_get(L);
  cs_task *task = lua_isnoneornil(L, 1) ? NULL : check_task(L, 1), *before = loop->foreground;
  if (lua_gettop(L) > 0) {
    if (task != NULL) {
      task->firm = lua_toboolean(L, 2);
      task->interrupted = false;
    }
    cs_task_foreground(loop, task != NULL && task->status < CS_TASK_DONE ? task : NULL);
  }
  if (before == NULL) return 0;
  cs_task_push(L, before);
  return 1;
}

/***
How long a task may compute in one go: one that takes longer is preempted, wherever it is, and goes
on when the others have had their turn. So a task in an endless loop keeps nobody from going on, and
can be looked at and ended (see `tasks`, `task:traceback`, `task:interrupt`, `task:cancel`). It is
as if it had called `yield` there; what takes for granted that others do not run between two waits
should not be done with it. While it is on, all that tasks compute is slower.

A task cannot be preempted in a coroutine of its own that `coroutine.resume` has entered, in a
metamethod or callback that C code has called, in a C function that takes long, and where the
program has set a hook; it is as soon as it has left that.
@function watchdog
@tparam ?number seconds nil: there is no limit, as at first; without an argument nothing changes
@treturn ?number how it was before
@usage
local before = loop.watchdog(0.5)
loop.watchdog(before)
*/
static int loop_watchdog(lua_State *L) {
  cs_loop *loop = cs_loop_get(L);
  int64_t before = loop->patience;
  if (lua_gettop(L) > 0) {
    int64_t patience = cs_check_timeout(L, 1);
    loop->patience = patience == CS_FOREVER ? 0 : patience == 0 ? 1 : patience;
    loop->began = cs_clock_now(&cs_clock_system);
    if (loop->current != NULL && loop->patience != 0) cs_hook_set(loop->innermost, true);
  }
  cs_push_timeout(L, before == 0 ? CS_FOREVER : before);
  return 1;
}

/* --- joining --- */

static int join_attempt(lua_State *L, cs_op *op) {
  cs_task *task = check_task(L, 1);
  if (op->mark !=
      task->loop->generation) { /* begun in the parent, in the child of a fork: not for us */
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
@tparam[opt] number timeout seconds; 0: does not wait
@return[1] what the function returned
@treturn[2] nil when it failed, was cancelled (`ECANCELED`), or is not over yet (`ETIMEDOUT`, with a
timeout of 0 `EAGAIN`), or never will be (`EDEADLK`: nothing can happen any more, or it is the task
itself)
@return[2] the error
@treturn[2] ?int errno, unless the task failed
@usage
local task = csock.spawn(csock.sleep, 60)
print(select(2, task:join(0.01)).name) --> ETIMEDOUT
*/
static int task_join(lua_State *L) {
  cs_op op;
  const cs_task *task = check_task(L, 1);
  cs_op_init(&op, "join", join_attempt, NULL, cs_check_timeout(L, 2));
  op.mark = task->loop->generation;
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
@usage
local task = csock.spawn(csock.sleep, 60)
print(task:cancel(), task:status()) --> true cancelled
*/
static int task_cancel(lua_State *L) {
  cs_task *task = check_task(L, 1);
  if (task->status == CS_TASK_RUNNING) {
    if (!cs_park_possible(L, task->loop, "cancel")) return 0;
    task->doomed = true;
    task->loop->passing = L != task->co;
    return lua_yieldk(L, 0, 0, never);
  }
  bool live = task->status < CS_TASK_DONE;
  if (live) cs_task_cancel(L, task);
  lua_pushboolean(L, live);
  return 1;
}

/***
Has a function called as the task ends, however it ends: with the task, outside of it, so that the
function must not wait. When the task is over already, it is called at once. Several are called in
their order; an error in one goes to `loop.onerror`.
Source: asyncio's `Task.add_done_callback`.
@function task:add_done_callback
@tparam function f
@treturn task itself
@usage
local task = csock.spawn(csock.sleep, 0)
task:add_done_callback(function(task) print(task:status()) end)
task:join() --> done
*/
static int task_add_done_callback(lua_State *L) {
  const cs_task *task = check_task(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  if (task->status >= CS_TASK_DONE) {
    lua_pushvalue(L, 1);
    lua_call(L, 1, 0);
    return 1;
  }
  int kind = lua_getiuservalue(L, 1, CS_TASK_CALLBACKS);
  if (kind == LUA_TFUNCTION) { /* the second one */
    lua_createtable(L, 2, 0);
    lua_insert(L, 3);
    lua_rawseti(L, 3, 1);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 1, CS_TASK_CALLBACKS);
    kind = LUA_TTABLE;
  }
  lua_pushvalue(L, 2);
  if (kind == LUA_TTABLE)
    lua_rawseti(L, 3, (lua_Integer)lua_rawlen(L, 3) + 1);
  else
    lua_setiuservalue(L, 1, CS_TASK_CALLBACKS);
  lua_settop(L, 1);
  return 1;
}

/* watch(task): its error will be asked for by join, so that it is not reported. */
static int task_watch(lua_State *L) {
  check_task(L, 1)->observed = true;
  lua_settop(L, 1);
  return 1;
}

/* throw(task, err): the call in which it waits raises this. Whether it waits in one. */
static int task_throw(lua_State *L) {
  cs_task *task = check_task(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  lua_pushboolean(L, cs_task_throw(L, task));
  return 1;
}

/***
Has the call in which the task waits raise an error, as Ctrl-C does; in a task that `watchdog` has
put off in the midst of a computation, the next instruction raises it. A task that has not begun, or
has just yielded, is cancelled instead, and one that interrupts itself raises the error at once.
@function task:interrupt
@param[opt="interrupted!"] message the error value
@treturn boolean false when it was over already
@usage
local task = csock.spawn(function() return pcall(csock.sleep, 60) end)
loop.step() -- it begins
task:interrupt "enough"
print(task:join()) --> false enough
*/
static int task_interrupt(lua_State *L) {
  cs_task *task = check_task(L, 1);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_pushliteral(L, "interrupted!");
    lua_replace(L, 2);
  }
  if (task->status == CS_TASK_RUNNING) return lua_error(L);
  bool live = task->status < CS_TASK_DONE;
  if (live) cs_task_interrupt(L, task);
  lua_pushboolean(L, live);
  return 1;
}

/* daemon(task): the loop does not wait for it. */
static int task_daemon(lua_State *L) {
  cs_task *task = check_task(L, 1);
  if (!task->daemon && task->status < CS_TASK_DONE) {
    task->daemon = true;
    task->loop->live--;
    if (task->asks) task->loop->keeping--;
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
@usage csock.sleep(0.01)
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
@usage csock.yield()
*/
static int loop_yield(lua_State *L) {
  return start_sleep(L, "yield", 0);
}

/* A queue of tasks, for Lua code that makes tasks wait for each other. */
typedef struct waiters {
  const cs_class *cls;
  const char *call; /* for errors */
  cs_waitq queue;
} waiters;

static const cs_class waiters_class = {"csock.waiters"};

static int waiters_gc(lua_State *L) {
  waiters *q = (waiters *)cs_object_check(L, 1, &waiters_class);
  cs_unpark_end(cs_state_get(L)->loop, &q->queue); /* (who waits has been closed by somebody) */
  return 0;
}

/* waiters([call]): what they call that wait. */
static int loop_waiters(lua_State *L) {
  static const char *const calls[] = {"wait", "get", "put", "join", NULL};
  const char *call = calls[luaL_checkoption(L, 1, "wait", calls)];
  waiters *q = (waiters *)cs_object_new(L, &waiters_class, sizeof *q, 0);
  q->call = call;
  return 1;
}

static int task_wait_attempt(lua_State *L, cs_op *op) {
  if (op->done++ == 0) return CS_PARK;
  lua_pushboolean(L, 1);
  return 1;
}

/* waiters:wait([timeout [, first]]): until woken; outside of tasks, for one turn of the loop.
   `first`: ahead of those who wait already. */
static int waiters_wait(lua_State *L) {
  cs_op op;
  waiters *q = (waiters *)cs_object_check(L, 1, &waiters_class);
  cs_op_init(&op, q->call, task_wait_attempt, NULL, cs_check_timeout(L, 2));
  op.ptr = &q->queue;
  op.flags = lua_toboolean(L, 3);
  return cs_drive(L, &op);
}

/* waiters:wake([all]): the first one, or all. */
static int waiters_wake(lua_State *L) {
  waiters *q = (waiters *)cs_object_check(L, 1, &waiters_class);
  (lua_toboolean(L, 2) ? cs_unpark_all : cs_unpark_first)(&q->queue);
  return 0;
}

/* --- registration --- */

static const luaL_Reg task_methods[] = {
    {"add_done_callback", task_add_done_callback},
    {"daemon", task_daemon},
    {"join", task_join},
    {"cancel", task_cancel},
    {"interrupt", task_interrupt},
    {"throw", task_throw},
    {"watch", task_watch},
    {NULL, NULL},
};

static const luaL_Reg task_meta[] = {
    {"__close", task_cancel},
    {NULL, NULL},
};

static const luaL_Reg waiters_methods[] = {
    {"wait", waiters_wait},
    {"wake", waiters_wake},
    {NULL, NULL},
};

static const luaL_Reg waiters_meta[] = {{"__gc", waiters_gc}, {NULL, NULL}};

static const luaL_Reg task_functions[] = {
    {"spawn", loop_spawn},           {"current", loop_current},
    {"foreground", loop_foreground}, {"sleep", loop_sleep},
    {"yield", loop_yield},           {"waiters", loop_waiters},
    {"watchdog", loop_watchdog},     {NULL, NULL},
};

void cs_open_task(lua_State *L) {
  cs_class_make(L, &cs_task_class, task_methods, task_meta);
  cs_class_make(L, &waiters_class, waiters_methods, waiters_meta);
  cs_task_open(L);
  cs_interrupt_open(L);
  lua_getfield(L, -1, "loop");
  cs_setfuncs(L, task_functions);
  lua_pop(L, 1);
}
