/* functions.c: the functions of csock.loop that run the loop. */
#include "loop.h"
#include "../wait/announce.h"
#include "../wait/joined.h"
#include "../base/parts.h"

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
@usage print(csock.run(function(n) csock.sleep(0.01) return n + 1 end, 1)) --> 2
*/
static int loop_run(lua_State *L) {
  cs_loop *loop = cs_loop_get(L);
  cs_task *task = NULL;
  if (loop->running) return luaL_error(L, "the loop is running already");
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    task = cs_task_spawn(L, loop, lua_gettop(L) - 1); /* in the function's place: it stays at 1 */
    task->observed = true;
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
@usage while loop.step(0.01) do end
*/
static int loop_step(lua_State *L) {
  int64_t timeout = lua_isnoneornil(L, 1) ? 0 : cs_check_timeout(L, 1);
  cs_loop *loop = cs_loop_get(L);
  int err = cs_loop_run(L, loop, cs_clock_deadline(&loop->state->clock, timeout), true);
  if (err != 0 && err != EDEADLK && err != ETIMEDOUT) return cs_fail(L, "step", err);
  lua_pushboolean(L, loop->live > 0);
  return 1;
}

/***
Makes `run` return at the end of the present turn. Tasks stay as they are, and go on in the next
`run`.
@function stop
@usage
loop.call_later(0.01, loop.stop)
csock.run()
*/
static int loop_stop(lua_State *L) {
  cs_loop_get(L)->stopped = true;
  return 0;
}

/***
The descriptor of the loop's poller: readable when something has come that `step` is to deal with.
For what is not an event, such as the time that a task waits for, see `due`.
@function fileno
@treturn int -1 when the backend has none
@usage print(loop.fileno())
*/
static int loop_fileno(lua_State *L) {
  const cs_loop *loop = cs_loop_get(L);
  lua_pushinteger(L, loop->poller != NULL ? loop->ops->fileno(loop->poller) : -1);
  return 1;
}

/***
In how many seconds `step` has something to do, if nothing comes from outside (see `fileno`) before:
how long another loop that drives this one may sleep.
@function due
@treturn ?number 0: at once; nil: never
@usage
loop.call_later(60, print)
print(loop.due() <= 60) --> true
*/
static int loop_due(lua_State *L) {
  cs_loop *loop = cs_loop_get(L);
  cs_push_timeout(L, cs_announce_due(loop));
  return 1;
}

/***
The name of the backend: "epoll", "kqueue" or "poll". The environment's `CSOCK_BACKEND` chooses it.
@function backend
@treturn string
@usage print(loop.backend())
*/
static int loop_backend(lua_State *L) {
  lua_pushstring(L, cs_loop_get(L)->ops->name);
  return 1;
}

/***
The names of the backends that this system has, the best first.
@function backends
@treturn {string,...}
@usage print(table.concat(loop.backends(), ", "))
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
@usage
local begin = csock.now()
csock.sleep(0.01)
print(csock.now() - begin >= 0.01) --> true
*/
static int loop_now(lua_State *L) {
  lua_pushnumber(L, cs_clock_to_seconds(cs_clock_now(&cs_state_get(L)->clock)));
  return 1;
}

/* descriptor(object): of anything that select takes; -1 when it is closed. */
static int loop_descriptor(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushinteger(L, cs_check_fd(L, 1));
  return 1;
}

/* running(): whether it runs at the moment. */
static int loop_running(lua_State *L) {
  lua_pushboolean(L, cs_loop_get(L)->running);
  return 1;
}

/* set_report(f): f(error, traceback, task) is told of errors that no one joins. */
static int loop_set_report(lua_State *L) {
  lua_settop(L, 1);
  cs_task_set_report(L);
  return 0;
}

/* log(what, text[, file]): an error that nobody else hears of: to the host; where there is none, to
   the file, by its `write`, which a prompt may have made its own; without one to standard error. */
static int loop_log(lua_State *L) {
  const char *what = luaL_checkstring(L, 1), *text = luaL_checkstring(L, 2);
  lua_settop(L, 3);
  if (cs_state_get(L)->log != NULL || lua_isnil(L, 3)) {
    cs_state_log(L, what, text);
    return 0;
  }
  lua_getfield(L, 3, "write");
  lua_insert(L, 3);
  lua_pushfstring(L, "csock: %s: ", what);
  lua_pushvalue(L, 2);
  lua_pushliteral(L, "\n");
  lua_call(L, 4, 0);
  return 0;
}

/* may_open(call, path): asks the policy, for what csock's modules do to files by Lua's own
   libraries: true, or nil, error, errno. */
static int loop_may_open(lua_State *L) {
  const char *call = cs_check_cstring(L, 1), *path = luaL_checkstring(L, 2);
  int err = cs_policy_file(L, cs_state_get(L), call, path);
  if (err == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  return cs_fail(L, "open", err);
}

static const luaL_Reg loop_functions[] = {
    {"run", loop_run},           {"step", loop_step},
    {"stop", loop_stop},         {"fileno", loop_fileno},
    {"due", loop_due},           {"descriptor", loop_descriptor},
    {"running", loop_running},   {"backend", loop_backend},
    {"backends", loop_backends}, {"now", loop_now},
    {"may_open", loop_may_open}, {"set_report", loop_set_report},
    {"log", loop_log},           {NULL, NULL},
};

void cs_open_loop(lua_State *L) {
  cs_loop_open(L);
  cs_joined_open(L);
  lua_newtable(L); /* for csock.loop: not part of what users see in csock itself */
  cs_setfuncs(L, loop_functions);
  lua_setfield(L, -2, "loop");
}
