/* task.c: the life of a task: a coroutine that the loop runs. Its methods: task_methods.c; the
   coroutines that it may have of its own: inner.c. */
#include "task.h"
#include "../wait/hook.h"
#include "../wait/interrupt.h"
#include "../wait/park.h"
#include "../wait/unpark.h"

const cs_class cs_task_class = {"csock.task"};

static const char tasks_key = 't';  /* registry: the table that keeps the live tasks */
static const char report_key = 'r'; /* registry: the function that is told of unhandled errors */

/* --- unhandled errors --- */

static int to_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* Pushes the error value on the top as text, whatever its __tostring does. */
static const char *push_error_text(lua_State *L) {
  lua_pushcfunction(L, to_text);
  lua_pushvalue(L, -2);
  if (cs_call_apart(L, 1, 1) == LUA_OK) return lua_tostring(L, -1);
  lua_pop(L, 1);
  return lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, -1));
}

/* Tells of an error that no one joins: `loop.onerror`, or standard error. Takes the error value and
   the traceback from the stack. */
static void tell_of_error(lua_State *L, int task) {
  luaL_checkstack(L, 6, NULL);
  task = lua_absindex(L, task);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &report_key) == LUA_TFUNCTION) {
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, task);
    if (cs_call_apart(L, 3, 0) == LUA_OK) {
      lua_pop(L, 2);
      return;
    }
    cs_state_log(L, "error in loop.onerror", push_error_text(L));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  cs_state_log(L, "error in a task", lua_tostring(L, -1));
  lua_pop(L, 2);
}

/* --- life --- */

cs_task *cs_task_spawn(lua_State *L, cs_loop *loop, int nargs) {
  luaL_checkstack(L, 6, NULL);
  cs_task *task = (cs_task *)cs_object_new(L, &cs_task_class, sizeof *task, 2);
  task->loop = loop;
  task->co = lua_newthread(L);
  lua_setiuservalue(L, -2, CS_TASK_THREAD);
  lua_insert(L, -nargs - 2);
  if (!lua_checkstack(task->co, nargs + 4)) luaL_error(L, "too many arguments");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_pushvalue(L, -nargs - 3);
  task->anchor = luaL_ref(L, -2);
  lua_pop(L, 1);
  lua_xmove(L, task->co, nargs + 1);
  loop->live++;
  cs_hook_set(task->co, false); /* which its parent may have */
  cs_unpark_enter(task, CS_WHY_NONE);
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
  luaL_traceback(L, co, push_error_text(L), 0);
  lua_remove(L, -2);
}

/* A task that did not end by itself: closes its coroutine, and reports what nobody will ask for.
   The task object is on the top of the stack. */
static void close_early(lua_State *L, cs_task *task, int status) {
  bool report = status == CS_TASK_FAILED && cs_waitq_empty(&task->joiners) && !task->observed;
  if (report) push_error(L, task->co);
  /* One that somebody has closed has the error of resuming it on its stack, and nothing else. */
  bool dead = status == CS_TASK_FAILED && lua_status(task->co) == LUA_OK;
  int closed = dead ? LUA_OK : close_coroutine(L, task);
  if (report) tell_of_error(L, -3);
  if (status == CS_TASK_CANCELLED && closed != LUA_OK) { /* a <close> variable's handler failed */
    push_error(L, task->co);
    tell_of_error(L, -3);
  }
}

void cs_task_call(lua_State *L, int nargs, int task) {
  task = lua_absindex(L, task);
  if (cs_call_apart(L, nargs, 0) == LUA_OK) return;
  luaL_traceback(L, L, push_error_text(L), 0);
  lua_remove(L, -2);
  tell_of_error(L, task);
}

/* Calls what add_done_callback was given: a function, or several in a table. The task object is on
   the top of the stack. */
static void call_back(lua_State *L) {
  int kind = lua_getiuservalue(L, -1, CS_TASK_CALLBACKS);
  lua_Integer n = kind == LUA_TTABLE ? (lua_Integer)lua_rawlen(L, -1) : kind == LUA_TFUNCTION;
  for (lua_Integer i = 1; i <= n; i++) {
    if (kind == LUA_TTABLE)
      lua_rawgeti(L, -1, i);
    else
      lua_pushvalue(L, -1);
    lua_pushvalue(L, -3);
    cs_task_call(L, 1, -4);
  }
  lua_pop(L, 1);
}

void cs_task_foreground(cs_loop *loop, cs_task *task) {
  cs_task *before = loop->foreground;
  if (before != NULL) cs_hook_set(before->co, loop->patience != 0);
  if (task == NULL)
    loop->behind = NULL;
  else if (task != before)
    loop->behind = before;
  loop->foreground = task;
  if (task != NULL) cs_hook_set(task->co, true);
}

/* It is over. */
static void leave_foreground(cs_loop *loop, const cs_task *task) {
  if (loop->behind == task) loop->behind = NULL;
  if (loop->foreground != task) return;
  cs_task *next = loop->behind;
  loop->foreground = NULL;
  cs_task_foreground(loop, next);
}

/* The task is over: nothing keeps it any more, and whoever waits for it is told. */
static void finish_task(lua_State *L, cs_task *task, int status) {
  luaL_checkstack(L, 8, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_rawgeti(L, -1, task->anchor); /* on the stack until we are done with it */
  task->loop->live -= !task->daemon;
  task->status = (uint8_t)status;
  if (task->preempted != NULL)
    cs_interrupt_drop(L, task); /* it has ended before it could raise that */
  task->preempted = NULL;
  leave_foreground(task->loop, task);
  cs_timers_remove(&task->loop->timers, &task->timer);
  cs_park_drop(task);
  if (status != CS_TASK_DONE) close_early(L, task, status);
  call_back(L);
  cs_unpark_all(&task->joiners);
  luaL_unref(L, -2, task->anchor);
  lua_pop(L, 2);
}

void cs_task_resume(lua_State *L, cs_task *task) {
  cs_loop *loop = task->loop;
  bool begun = lua_status(task->co) == LUA_YIELD;
  bool closed = !begun && lua_gettop(task->co) == 0; /* by somebody: not even a function is left */
  int nresults, nargs = begun || closed ? 0 : lua_gettop(task->co) - 1;
  loop->current = task;
  loop->innermost = task->co;
  loop->budget = cs_loop_budget(loop);
  loop->passing = false;
  loop->stuck = false;
  task->status = CS_TASK_RUNNING;
  if (closed)
    cs_unpark_pass(task);
  else
    cs_unpark_settle(task);
  if (task->why != CS_WHY_INTERRUPT) task->preempted = NULL;
  if (cs_hook_wanted(loop, task)) {
    loop->began = cs_clock_now(&cs_clock_system);
    cs_hook_set(task->co, true);
  }
  int status = lua_resume(task->co, L, nargs, &nresults);
  loop->current = NULL;
  if (status == LUA_OK) {
    finish_task(L, task, CS_TASK_DONE);
  } else if (status != LUA_YIELD) {
    finish_task(L, task, CS_TASK_FAILED);
  } else if (task->doomed) {
    cs_task_cancel(L, task);
  } else if (task->status == CS_TASK_RUNNING) { /* coroutine.yield, or preempted: a pause */
    lua_pop(task->co, nresults);
    cs_unpark_enter(task, CS_WHY_NONE);
  }
}

void cs_task_cancel(lua_State *L, cs_task *task) {
  cs_waitq *q = task->woken_from != NULL ? task->woken_from : task->asks ? task->queue : NULL;
  cs_unpark_settle(task);
  if (task->why == CS_WHY_INTERRUPT) cs_interrupt_drop(L, task);
  cs_unpark(task, CS_WHY_NONE);
  /* Before its stack, which keeps the queue's owner, is gone. Who is woken in vain waits again. */
  if (q != NULL) cs_unpark_next(q);
  finish_task(L, task, CS_TASK_CANCELLED);
}

bool cs_task_throw(lua_State *L, cs_task *task) {
  bool parked = task->status == CS_TASK_WAITING ||
                (task->status == CS_TASK_READY && task->why != CS_WHY_NONE);
  bool computes = !parked && task->status == CS_TASK_READY && task->preempted != NULL;
  /* Else it runs, has not begun, or has yielded: there is no call that could fail. */
  if (!parked && !(computes && cs_hook_raise(task))) {
    lua_pop(L, 1);
    return false;
  }
  cs_interrupt_keep(L, task);
  cs_unpark_pass(task);
  cs_unpark_ready(task, CS_WHY_INTERRUPT);
  return true;
}

void cs_task_interrupt(lua_State *L, cs_task *task) {
  if (!cs_task_throw(L, task)) cs_task_cancel(L, task);
}

void cs_task_answer(lua_State *L, cs_task *task) {
  if (cs_hook_insists(task)) {
    lua_pop(L, 1);
    cs_task_cancel(L, task);
  } else {
    cs_task_interrupt(L, task);
  }
}

void cs_task_cancel_all(lua_State *L, cs_loop *loop) {
  luaL_checkstack(L, 6, NULL);
  loop->current = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, -1); i <= n; i++) {
    lua_rawgeti(L, -1, i);
    cs_task *task = (cs_task *)cs_object_test(L, -1, &cs_task_class);
    if (task != NULL && task->status < CS_TASK_DONE && !task->daemon) cs_task_cancel(L, task);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

void cs_task_drop_all(lua_State *L, cs_loop *loop) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, -1); i <= n; i++) {
    lua_rawgeti(L, -1, i);
    cs_task *task = (cs_task *)cs_object_test(L, -1, &cs_task_class);
    lua_pop(L, 1);
    if (task == NULL || task->status >= CS_TASK_DONE) continue;
    if (task->status == CS_TASK_RUNNING) { /* (not the current one: that it cancels just now) */
      loop->live += task->daemon;          /* it is all that the child consists of */
      task->daemon = false;
      continue;
    }
    cs_unpark_settle(task);
    cs_unpark(task, CS_WHY_NONE);
    cs_park_drop(task);
    cs_timers_remove(&loop->timers, &task->timer);
    task->status = CS_TASK_CANCELLED;
    loop->live -= !task->daemon;
    /* Still anchored: a collected stream would send what is the parent's to send. */
  }
  lua_pop(L, 1);
  loop->behind = NULL;
  if (loop->foreground != NULL && loop->foreground->status != CS_TASK_RUNNING)
    loop->foreground = NULL;
}

int cs_task_results(lua_State *L, cs_task *task) {
  int n = lua_gettop(task->co);
  luaL_checkstack(L, n + 4, "too many results");
  if (!lua_checkstack(task->co, n)) luaL_error(L, "too many results");
  for (int i = 1; i <= n; i++) lua_pushvalue(task->co, i);
  lua_xmove(task->co, L, n);
  return n;
}

void cs_task_push(lua_State *L, const cs_task *task) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_rawgeti(L, -1, task->anchor);
  lua_remove(L, -2);
}

void cs_task_push_all(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
}

void cs_task_set_report(lua_State *L) {
  lua_rawsetp(L, LUA_REGISTRYINDEX, &report_key);
}

void cs_task_open(lua_State *L) {
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &tasks_key);
}
